import { fail, hint, pass, pointsOf } from '../point.js'

// Other settings of the project that name a place.

const point = pointsOf('the settings')

const staticUrl = point({
  name: 'STATIC_URL',
  faults: ['other-place'],
  look({ settings: { warnings, publicUrl } }) {
    const warning = warnings.find((each) => each.startsWith('STATIC_URL '))
    return warning ? fail('other-place', warning, `STATIC_URL=${publicUrl}`) : pass(publicUrl)
  },
})

const mediaUrl = point({
  name: 'MEDIA_URL',
  faults: ['same-place'],
  look({ mediaUrl: set, settings: { publicUrl } }) {
    if (!set) return pass('not set here')
    const address = `${set.replace(/\/+$/, '')}/`
    const url = URL.canParse(address, publicUrl) ? new URL(address, publicUrl).href : ''
    const isInside = url !== '' && set.includes('//') && (url.startsWith(publicUrl) || publicUrl.startsWith(url))
    if (!isInside) return pass(set)
    const saw = `MEDIA_URL is "${set}", but the static files are in ${publicUrl}: uploads of users could replace them`
    return fail(
      'same-place',
      saw,
      'Give each a location of its own, such as AWS_LOCATION=static, and media in OPTIONS of STORAGES.',
    )
  },
})

const otherNames = point({
  name: 'other names',
  faults: ['warned'],
  look({ settings: { warnings } }) {
    const others = warnings.filter((each) => !each.startsWith('STATIC_URL '))
    return others.length > 0 ? hint('warned', others.join('\n')) : pass('no ignored variable looks like a setting')
  },
})

export const djangoSettings = [staticUrl, mediaUrl, otherNames]
