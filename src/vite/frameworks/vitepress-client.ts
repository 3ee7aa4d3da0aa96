import { Patches } from './patches.js'

/**
 * The places in VitePress's client where it makes URLs.
 *
 * @param pictures paths of public files that its pages show
 */
export function vitePressPatches(publicUrl: string, pictures: readonly string[]): Patches {
  const client = (file: string) => new RegExp(`/vitepress/dist/client/app/${file}$`)
  return new Patches('VitePress', [
    {
      module: client('utils.js'),
      edit: (code) => code.replace(/\$\{(__ASSETS_BASE__ \|\| )?base\}(?=\$\{__ASSETS_DIR__\})/, () => publicUrl),
      requests: 'the scripts of pages that visitors open by a link',
    },
    {
      module: client('composables/preFetch.js'),
      // A response that was fetched without CORS cannot be imported later.
      edit: (code) => code.replace(/\blink\.rel = [`'"]prefetch[`'"];/, "$& link.crossOrigin = '';"),
      requests: 'the scripts of pages that are prefetched',
    },
    {
      module: client('router.js'),
      edit: (code) =>
        code.replace(/[\w.]+(\(\))? \+ (['"])hashmap\.json\2/, () => JSON.stringify(`${publicUrl}hashmap.json`)),
      requests: 'hashmap.json, by which an open page finds the scripts of a new release',
    },
    {
      module: client('utils.js'),
      edit: (code) =>
        code.replace(
          /function withBase\(path\) \{/,
          (found) =>
            `${found} if (${JSON.stringify(pictures)}.includes(path.slice(1))) return ${JSON.stringify(publicUrl)} + path.slice(1);`,
        ),
      requests: "public pictures in the theme's configuration, such as the logo",
    },
  ])
}
