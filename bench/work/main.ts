import { writeFolders } from './folder.js'
import { works } from './works.js'

// `npx tsx bench/work/main.ts [WORK…]`: writes the works' folders, and says where they are.
for (const work of works) {
  if (process.argv.length > 2 && !process.argv.includes(work.name)) continue
  const { first, changed, knownFile } = writeFolders(work)
  console.log([work.name, first.dir, changed.dir, knownFile].join('\t'))
}
