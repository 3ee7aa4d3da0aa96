import { locationSetting } from './names.js'
import { cacheTimes, type TemplateInput, templateDocuments, templateName } from './template.js'

const distributionPlaceholder = 'DISTRIBUTION'
const accountPlaceholder = 'ACCOUNT'

const ref = (name: string) => ({ Ref: name })
const sub = (text: string) => ({ 'Fn::Sub': text })
const attribute = (resource: string, name: string) => ({ 'Fn::GetAtt': [resource, name] })

/** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudfront-distribution.html */
export function cloudFormationTemplate(input: TemplateInput): object {
  const { names, domain } = input
  const { bucket, deploy, trust } = templateDocuments(input, {
    distribution: distributionPlaceholder,
    account: accountPlaceholder,
  })
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: CloudFormation's variables
  const here = 'arn:${AWS::Partition}'
  const distributionArn = `${here}:cloudfront::\${AWS::AccountId}:distribution/\${Distribution}`
  const filledIn = (document: object) =>
    JSON.parse(JSON.stringify(document), (_key, value) => {
      if (value === distributionPlaceholder) return sub(distributionArn)
      const isProvider = typeof value === 'string' && value.includes(`:${accountPlaceholder}:oidc-provider/`)
      return isProvider
        ? sub(value.replace(/^arn:[^:]*/, here).replace(accountPlaceholder, '${AWS::AccountId}'))
        : value
    })
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: CloudFormation's variables
  const policy = { PolicyName: 'static-s3', PolicyDocument: deploy }
  const output = (Description: string, Value: unknown) => ({ Description, Value })
  return {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: `static-s3: s3://${names.bucket}/${names.location} behind CloudFront`,
    Resources: {
      Bucket: bucketResource(names.bucket),
      BucketPolicy: {
        Type: 'AWS::S3::BucketPolicy',
        Properties: { Bucket: ref('Bucket'), PolicyDocument: filledIn(bucket) },
      },
      ...cloudFrontResources(input),
      ...(trust
        ? {
            DeployRole: {
              Type: 'AWS::IAM::Role',
              Properties: { AssumeRolePolicyDocument: filledIn(trust), Policies: [policy] },
            },
          }
        : { DeployPolicy: { Type: 'AWS::IAM::ManagedPolicy', Properties: { PolicyDocument: deploy } } }),
    },
    Outputs: {
      BucketName: output('AWS_STORAGE_BUCKET_NAME', ref('Bucket')),
      Location: output('AWS_LOCATION', names.location === '' ? '/' : locationSetting(names)),
      Region: output('AWS_S3_REGION_NAME', ref('AWS::Region')),
      Domain: output('AWS_S3_CUSTOM_DOMAIN', domain?.name ?? attribute('Distribution', 'DomainName')),
      DistributionDomain: output("Where the domain's CNAME leads", attribute('Distribution', 'DomainName')),
      ...(trust
        ? { DeployRoleArn: output('The role of the CI jobs', attribute('DeployRole', 'Arn')) }
        : { DeployPolicyArn: output('Attach it to the user, role or group that deploys', ref('DeployPolicy')) }),
    },
  }
}

function bucketResource(name: string): object {
  return {
    Type: 'AWS::S3::Bucket',
    DeletionPolicy: 'Retain',
    UpdateReplacePolicy: 'Retain',
    Properties: {
      BucketName: name,
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      PublicAccessBlockConfiguration: {
        ...{ BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true },
      },
      LifecycleConfiguration: {
        Rules: [{ Id: 'StaticS3Parts', Status: 'Enabled', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } }],
      },
    },
  }
}

function cloudFrontResources({ names, origins, domain }: TemplateInput): object {
  const Name = templateName(names)
  const none = (name: string) => ({ [`${name}Behavior`]: 'none' })
  return {
    AccessControl: {
      Type: 'AWS::CloudFront::OriginAccessControl',
      Properties: {
        OriginAccessControlConfig: {
          ...{ Name, OriginAccessControlOriginType: 's3', SigningBehavior: 'always', SigningProtocol: 'sigv4' },
        },
      },
    },
    CachePolicy: {
      Type: 'AWS::CloudFront::CachePolicy',
      Properties: {
        CachePolicyConfig: {
          ...{ Name, MinTTL: cacheTimes.minimum, DefaultTTL: cacheTimes.default, MaxTTL: cacheTimes.maximum },
          ParametersInCacheKeyAndForwardedToOrigin: {
            ...{ EnableAcceptEncodingBrotli: true, EnableAcceptEncodingGzip: true },
            CookiesConfig: none('Cookie'),
            HeadersConfig: none('Header'),
            QueryStringsConfig: none('QueryString'),
          },
        },
      },
    },
    CorsHeaders: {
      Type: 'AWS::CloudFront::ResponseHeadersPolicy',
      Properties: {
        ResponseHeadersPolicyConfig: {
          Name,
          CorsConfig: {
            AccessControlAllowCredentials: false,
            AccessControlAllowHeaders: { Items: ['*'] },
            AccessControlAllowMethods: { Items: ['GET', 'HEAD'] },
            AccessControlAllowOrigins: { Items: [...origins] },
            OriginOverride: true,
          },
        },
      },
    },
    Distribution: {
      Type: 'AWS::CloudFront::Distribution',
      Properties: {
        DistributionConfig: {
          ...{ Enabled: true, HttpVersion: 'http2and3', IPV6Enabled: true, Comment: Name },
          ...(domain ? domainProperties(domain) : {}),
          Origins: [
            {
              Id: 'bucket',
              DomainName: attribute('Bucket', 'RegionalDomainName'),
              OriginAccessControlId: ref('AccessControl'),
              // CloudFormation requires it. An empty identity leaves the access to the origin access control.
              S3OriginConfig: { OriginAccessIdentity: '' },
            },
          ],
          DefaultCacheBehavior: {
            ...{ TargetOriginId: 'bucket', ViewerProtocolPolicy: 'redirect-to-https', Compress: true },
            AllowedMethods: ['GET', 'HEAD', 'OPTIONS'],
            CachePolicyId: ref('CachePolicy'),
            ResponseHeadersPolicyId: ref('CorsHeaders'),
          },
        },
      },
    },
  }
}

function domainProperties({ name, certificate }: NonNullable<TemplateInput['domain']>): object {
  return {
    Aliases: [name],
    ViewerCertificate: {
      ...{ AcmCertificateArn: certificate, SslSupportMethod: 'sni-only', MinimumProtocolVersion: 'TLSv1.2_2021' },
    },
  }
}
