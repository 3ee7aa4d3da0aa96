import { builtPath } from '../../urls/paths.js'
import { Patches } from './patches.js'

/**
 * Qwik's server writes the URLs of scripts into its pages: of the loader, the preloader and its graph below Vite's `base`, of stylesheets and
 * fonts as the client's build left them in `q-manifest.json`. The option `base` of `renderToStream` covers a part of them.
 */
export function qwikPatches(publicUrl: string, base: string): Patches {
  const server = /\/qwik\/dist\/server\.mjs$/
  return new Patches('Qwik', [
    {
      module: server,
      // Qwik City passes a path as `base`.
      edit: (code) =>
        code.replace(
          /function getBuildBase\(\w*\) \{/,
          (found) => `${found} return ${JSON.stringify(`${publicUrl}build/`)};`,
        ),
      requests: 'all scripts',
    },
    {
      module: server,
      edit: (code) =>
        code.replace(/\(import\.meta\.env\.BASE_URL \|\| "\/"\)(?= \+ \w+\?*\.manifest\.bundleGraph)/, () =>
          JSON.stringify(publicUrl),
        ),
      requests: 'the graph of scripts to preload',
    },
    {
      module: /@qwik-client-manifest$/,
      edit: (code) =>
        code.replace(/"(href|data-src)":"([^"]+)"/g, (attribute, name, url) => {
          const path = builtPath(url, '', base)
          return path === undefined ? attribute : `"${name}":${JSON.stringify(publicUrl + encodeURI(path))}`
        }),
      requests: 'stylesheets and preloaded fonts',
    },
  ])
}
