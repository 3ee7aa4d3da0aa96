import { staticS3 } from 'static-s3/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  // Django's STATIC_URL without USE_S3.
  base: '/static/',
  // The folder of the `.env` that Django reads.
  envDir: '..',
  plugins: [staticS3()],
  build: {
    manifest: true,
    rollupOptions: { input: 'src/main.ts' },
    // An inlined file has no URL for templates and e-mails.
    assetsInlineLimit: 0,
  },
})
