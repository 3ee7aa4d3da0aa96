import './main.css'
// Templates and e-mails name it.
import './logo.png'

const { STATIC_URL } = import.meta.env
const { staticUrl } = document.documentElement.dataset

if (STATIC_URL !== staticUrl) {
  throw new Error(
    `STATIC_URL is ${staticUrl} in Django, but ${STATIC_URL} in this build: build again, or compare .env with config/settings.py.`,
  )
}
document.querySelector('#static-url')?.append(STATIC_URL)

document.querySelector<HTMLInputElement>('input[type=file]')?.addEventListener('change', async ({ target }) => {
  const { preview } = await import('./preview')
  preview(target as HTMLInputElement)
})
