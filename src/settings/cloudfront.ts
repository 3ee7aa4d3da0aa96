import { suggestion } from '../runtime/suggestion.js'
import { asUrl, type Named, type SettingReader } from './setting-reader.js'
import type { Settings } from './settings.js'

const variable = 'AWS_CLOUDFRONT_DISTRIBUTION_ID'
const endpointVariable = 'AWS_ENDPOINT_URL_CLOUDFRONT'

/** The distributions to invalidate; undefined if there are none. */
export function readCloudFront(read: SettingReader): Settings['cloudfront'] {
  const { named, wait } = readOption(read)
  const distributions = [named?.value ?? []].flat().filter((id) => id !== '')
  for (const value of distributions) {
    if (named && !(typeof value === 'string' && /^E[A-Z0-9]{9,20}$/.test(value))) {
      read.problem({ name: named.name, value }, "use a distribution's ID, such as E1A2B3C4D5E6F7")
    }
  }
  if (!named || distributions.length === 0) return undefined
  return {
    name: named.name,
    distributions: [...new Set(distributions)] as string[],
    endpoint: readEndpoint(read),
    wait,
  }
}

/** The distributions come from the option, or else from the variable. */
function readOption(read: SettingReader): { named: Named | undefined; wait: boolean } {
  const found = read.find('cloudfront')
  const given = found?.value
  if (found && (typeof given !== 'object' || Array.isArray(given))) {
    read.problem(found, 'use an object such as { distributionId: "E1A2B3C4D5E6F7" }')
    return { named: undefined, wait: false }
  }
  const { distributionId, wait = false, ...others } = { ...(given as Record<string, unknown> | undefined) }
  for (const field of Object.keys(others)) {
    const name = read.nameOption(`cloudfront.${field}`)
    read.problems.push(`${name} is unknown${suggestion(field, ['distributionId', 'wait'])}`)
  }
  if (typeof wait !== 'boolean') {
    read.problem({ name: read.nameOption('cloudfront.wait'), value: wait }, 'use true or false')
  }
  const set = read.variable(variable)
  const named =
    distributionId === undefined
      ? set && { name: set.name, value: set.value.split(',').map((id) => id.trim()) }
      : { name: read.nameOption('cloudfront.distributionId'), value: distributionId }
  return { named, wait: wait === true }
}

/** @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html */
function readEndpoint(read: SettingReader): string | undefined {
  const found = read.variable(endpointVariable)
  if (!found || read.refusesUrlSecrets(found)) return undefined
  if (read.boolean(undefined, ['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'], false)) return undefined
  if (/^https?:\/\/[^/]/i.test(found.value) && asUrl(found.value)) return found.value
  read.problem(found, 'use a URL such as https://cloudfront.amazonaws.com')
  return undefined
}

export function readOnReleased(read: SettingReader): Settings['onReleased'] {
  const found = read.find('onReleased')
  if (found && typeof found.value !== 'function') read.problem(found, 'use a function of the result')
  return found?.value as Settings['onReleased']
}
