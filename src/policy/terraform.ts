import { locationSetting } from './names.js'
import { cacheTimes, type TemplateInput, templateDocuments, templateName } from './template.js'

const distribution = '@distribution@'
const account = '@account@'

/** @see https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/cloudfront_distribution */
export function terraformConfiguration(input: TemplateInput): string {
  const { names, origins, domain } = input
  const documents = templateDocuments(input, { distribution, account })
  const name = text(templateName(names))
  return `provider "aws" {
  region = ${text(names.region)}
}

data "aws_caller_identity" "current" {}

resource "aws_s3_bucket" "static" {
  bucket = ${text(names.bucket)}
}

resource "aws_s3_bucket_ownership_controls" "static" {
  bucket = aws_s3_bucket.static.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "static" {
  bucket                  = aws_s3_bucket.static.id
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "static" {
  bucket = aws_s3_bucket.static.id
  rule {
    id     = "StaticS3Parts"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "static" {
  bucket = aws_s3_bucket.static.id
  policy = ${encoded(documents.bucket)}
}

resource "aws_cloudfront_origin_access_control" "static" {
  name                              = ${name}
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_cache_policy" "static" {
  name        = ${name}
  min_ttl     = ${cacheTimes.minimum}
  default_ttl = ${cacheTimes.default}
  max_ttl     = ${cacheTimes.maximum}
  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = true
    enable_accept_encoding_gzip   = true
    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

resource "aws_cloudfront_response_headers_policy" "static" {
  name = ${name}
  cors_config {
    access_control_allow_credentials = false
    origin_override                  = true
    access_control_allow_headers {
      items = ["*"]
    }
    access_control_allow_methods {
      items = ["GET", "HEAD"]
    }
    access_control_allow_origins {
      items = [${origins.map(text).join(', ')}]
    }
  }
}

resource "aws_cloudfront_distribution" "static" {
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  comment         = ${name}
${domain ? `  aliases         = [${text(domain.name)}]\n` : ''}
  origin {
    origin_id                = "bucket"
    domain_name              = aws_s3_bucket.static.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.static.id
  }

  default_cache_behavior {
    target_origin_id           = "bucket"
    viewer_protocol_policy     = "redirect-to-https"
    compress                   = true
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = aws_cloudfront_cache_policy.static.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.static.id
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
${certificate(domain)}
  }
}

${rights(documents)}

${outputs(input)}
`
}

function rights({ deploy, trust }: ReturnType<typeof templateDocuments>): string {
  if (!trust) {
    return `# Attach it to the user, role or group that deploys.
resource "aws_iam_policy" "deploy" {
  policy = ${encoded(deploy)}
}

output "deploy_policy_arn" {
  value = aws_iam_policy.deploy.arn
}`
  }
  return `resource "aws_iam_role" "deploy" {
  assume_role_policy = ${encoded(trust)}
}

resource "aws_iam_role_policy" "deploy" {
  role   = aws_iam_role.deploy.id
  policy = ${encoded(deploy)}
}

output "deploy_role_arn" {
  value = aws_iam_role.deploy.arn
}`
}

function certificate(domain: TemplateInput['domain']): string {
  if (!domain) return '    cloudfront_default_certificate = true'
  return `    acm_certificate_arn      = ${text(domain.certificate)}
    ssl_support_method       = "sni-only"
    minimum_protocol_version = "TLSv1.2_2021"`
}

/** The variables to set, by their names. */
function outputs({ names, domain }: TemplateInput): string {
  const values = {
    AWS_STORAGE_BUCKET_NAME: 'aws_s3_bucket.static.id',
    AWS_LOCATION: text(locationSetting(names)),
    AWS_S3_REGION_NAME: text(names.region),
    AWS_S3_CUSTOM_DOMAIN: domain ? text(domain.name) : 'aws_cloudfront_distribution.static.domain_name',
  }
  return Object.entries(values)
    .map(([name, value]) => `output "${name}" {\n  value = ${value}\n}`)
    .join('\n\n')
}

/** JSON is an expression of Terraform's language, but `${` and `%{` begin a template in its strings. */
function text(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(/[$%](?=\{)/g, '$&$&')
}

function encoded(document: object): string {
  const expression = text(document)
    .replaceAll(`"${distribution}"`, 'aws_cloudfront_distribution.static.arn')
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Terraform's variable
    .replaceAll(account, '${data.aws_caller_identity.current.account_id}')
  return `jsonencode(${expression.replaceAll('\n', '\n  ')})`
}
