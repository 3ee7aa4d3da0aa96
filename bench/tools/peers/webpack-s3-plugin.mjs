import S3Plugin from 'webpack-s3-plugin'

const [dir, endpoint, bucket, location] = process.argv.slice(2)

const plugin = new S3Plugin({
  directory: dir,
  basePath: location,
  progress: false,
  s3Options: { endpoint, s3ForcePathStyle: true },
  s3UploadOptions: { Bucket: bucket },
})
const errors = []
let afterBuild
plugin.apply({
  options: { output: { path: dir } },
  hooks: { done: { tapPromise: (_name, run) => (afterBuild = run) } },
})
await afterBuild({ compilation: { errors } })
if (errors.length > 0) throw errors[0]
