import { expect, test } from 'vitest'
import { type Part, publishTogether } from '../../src/deploy/publish-together.js'
import { StaticS3Error } from '../../src/runtime/error.js'

// In the names: `dry` ends without a release, as a dry run, a build that is uploaded later, and a failure under `onError: 'warn'`.
const endings = {
  shop: () => true,
  dry: () => false,
  admin: () => {
    throw new StaticS3Error('static-s3: AccessDenied')
  },
  blog: () => true,
}

function part(name: keyof typeof endings): Part {
  const steps = async function* () {
    yield
    yield
    return endings[name]()
  }
  return { name, steps: steps(), stop() {} }
}

test('the error of an upload names the parts that are live, and no others', async () => {
  await expect(publishTogether([part('shop'), part('dry'), part('admin'), part('blog')])).rejects.toThrow(
    /AccessDenied\nThis is the state of admin\. Live already: shop\. Not begun: blog\. The next run/,
  )
  await expect(publishTogether([part('dry'), part('admin'), part('blog')])).rejects.toThrow(/AccessDenied$/)
})
