import { ViteS3 } from '@froxz/vite-plugin-s3'

const [dir, endpoint, bucket, location] = process.argv.slice(2)

const plugin = ViteS3(true, {
  directory: dir,
  basePath: `/${location}`,
  clientConfig: { endpoint, forcePathStyle: true },
  uploadOptions: { Bucket: bucket },
})
plugin.configResolved({ root: dir, logLevel: 'warn', build: { outDir: dir, ssr: false } })
await plugin.closeBundle.handler()
