import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Fails, type Failure, type HeldRequest, Random } from '../../fixtures/release/interleaving.js'
import { type Deploy, type DeployOptions, isOf, Scene, stragglers } from '../../fixtures/release/scene.js'
import { fileOf, folder, location, siteOf } from '../../fixtures/release/versions.js'
import type { Group } from '../../src/files/built-file.js'
import { lockKey } from '../../src/release/records/releases-folder.js'

// Whatever the interleaving, everything that a page needs is there at every moment, and the HTML that stands at the end is all from one
// release.

vi.mock('node:zlib', async () => (await import('../../fixtures/release/one-turn.js')).zlib)
vi.mock('node:timers/promises', async () => (await import('../../fixtures/release/one-turn.js')).timers)

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    now: Date.UTC(2026, 0, 1),
  })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('one after the other', () => {
  let scene: Scene

  beforeEach(() => {
    scene = new Scene(new Random(1))
  })
  afterEach(() => vi.clearAllTimers())

  const has = (path: string, what: string) => () => {
    const { bytes, parameters } = scene.bucket.objects.get(`${location}/${path}`) ?? {}
    return `${bytes} ${JSON.stringify(parameters)}`.includes(what)
  }
  const isHeld = (isIt: (request: HeldRequest) => boolean) => () => scene.network.held.some(isIt)

  /** The next deploy begins, and what is held back arrives when that has written a page, if it has not got lost by then. */
  async function overtake(behind: Deploy, isHeldBack: (request: HeldRequest) => boolean): Promise<void> {
    const next = scene.start('next', siteOf(4))
    const begun = Date.now()
    await scene.until(() => has('about.html', 'version 4')() || Date.now() - begun > 120_000, isHeldBack)
    for (const request of scene.network.held.filter(isOf(behind))) await scene.advance(request)
    await scene.until(() => next.outcome !== 'under way')
    scene.checkSite(next)
    await scene.checkEnd()
  }

  it.each<[what: string, index: Failure, about: Failure | undefined]>([
    ['when another one was refused', 'refused', undefined],
    ['when another one got no answer', 'no answer', undefined],
    ['when it got no answer itself, and another one was refused', 'refused', 'no answer'],
    ['when none got an answer', 'no answer', 'no answer'],
  ])('a page on its way %s does not come after a page of the next deploy', async (_what, index, about) => {
    await scene.whole('first', siteOf(1))
    const fails: Fails = (_number, what) =>
      what.endsWith('index.html') ? index : what.endsWith('about.html') ? about : undefined
    const broken = scene.start('broken', siteOf(2), { concurrency: 8, fails })
    await scene.until(isHeld(isOf(broken, 'about.html')), isOf(broken, '.html'))
    const isSlow = ({ what, cutAt }: HeldRequest) => cutAt !== undefined || (!about && what.endsWith('about.html'))
    await overtake(broken, (request) => isOf(broken, '.html')(request) && isSlow(request))
  })

  it('a page on its way when its lock was lost does not come after a page of the next deploy', async () => {
    await scene.whole('first', siteOf(1))
    const cutOff = scene.start('cut off', siteOf(2), { concurrency: 8 })
    await scene.until(isHeld(isOf(cutOff, 'about.html')), isOf(cutOff, '.html'))
    // No renewal gets through until the lock is lost, and then everything but the pages.
    const isLost = () => scene.network.held.some((request) => isOf(cutOff, '.html')(request) && request.cutAt)
    await scene.until(isLost, isOf(cutOff))
    await overtake(cutOff, isOf(cutOff, '.html'))
    expect(cutOff.problem?.message).toContain('could not be renewed')
  })

  it('a prune that was suspended until the next deploy took over deletes nothing more', async () => {
    for (const version of [1, 2, 3]) await scene.whole(`release ${version}`, siteOf(version))
    const prune = scene.start('prune', [], { kind: 'prune', concurrency: 1 })
    const deletions = () => scene.releases.counted.deleted
    await scene.until(() => deletions() === 1)
    await scene.suspend(60_000)
    // It wakes up last, and its timers run after its requests.
    const next = scene.start('next', siteOf(1))
    await scene.until(() => next.outcome === 'ended', isOf(prune))
    for (const request of scene.network.held.filter(isOf(prune))) await scene.advance(request)
    await scene.until(() => prune.outcome !== 'under way')
    expect(prune.problem?.message).toContain('could not be renewed')
    expect(deletions()).toBe(1)
    scene.checkSite(next)
    await scene.checkEnd()
  })

  it('a deploy whose survey is old does not take over a lock that has been renewed since', async () => {
    await scene.whole('first', siteOf(1))
    const long = scene.start('long', siteOf(2))
    await scene.until(isHeld(isOf(long, '.html')), isOf(long, '.html'))
    const late = scene.start('late', siteOf(4), { building: 60_000 })
    const begun = Date.now()
    await scene.until(() => Date.now() - begun > 120_000, isOf(long, '.html'))
    expect([long.outcome, late.outcome]).toEqual(['under way', 'under way'])
    await scene.until(() => late.outcome === 'ended')
    expect(long.outcome).toBe('ended')
    await scene.checkEnd()
  })

  it.each<[what: string, failure: Failure | undefined]>([
    ['takes long', undefined],
    ['gets no answer', 'no answer'],
  ])(
    'a record that %s does not come after the next deploy has begun, and hides what that did',
    async (_what, failure) => {
      await scene.whole('first', siteOf(1))
      const fails: Fails = (_number, what) => (what.endsWith('99999997.json.gz') ? failure : undefined)
      const slow = scene.start('slow', siteOf(2), { fails })
      const isRecord = isOf(slow, '99999997.json.gz')
      const isHeldBack = (request: HeldRequest) => isRecord(request) && (!failure || request.cutAt !== undefined)
      await scene.until(isHeld(isRecord), isHeldBack)
      const next = scene.start('next', siteOf(2, 'max-age=60'))
      const begun = Date.now()
      await scene.until(() => Date.now() - begun > 120_000 || has('logo.svg', 'max-age=60')(), isHeldBack)
      scene.kill(next)
      await scene.pass(500)
      for (const request of scene.network.held.filter(isRecord)) await scene.advance(request)
      await scene.until(() => slow.outcome !== 'under way')
      await scene.pass(stragglers)
      scene.checkSite(await scene.whole('last', siteOf(2)))
      await scene.checkEnd()
    },
  )

  it.each<[what: string, group: Group, from: string, to: string]>([
    ['picture is there before the file without a fingerprint', 'asset', 'menu.json', 'photo.svg'],
    ['page is there before the page', 'html', 'contact.html', 'form.html'],
  ])('a new %s that comes to name it', async (_what, group, from, to) => {
    const page = fileOf('index.html', 'html', `<a href="./${from}">`, {})
    await scene.whole('first', [fileOf(from, group, '<p>', {}), page])
    const second = [page, fileOf(from, group, `<a href="./${to}">`, {}), fileOf(to, group, 'new', {})]
    scene.checkSite(await scene.whole('second', second))
  })

  describe('headers', () => {
    it.each([1, 1000])(
      'that a deploy changed right after a release, and then died, are put right by the next, if the store counts in %i ms',
      async (grain) => {
        scene = new Scene(new Random(1), { grain })
        await scene.whole('first', siteOf(1))
        const dead = scene.start('dead', siteOf(1, 'max-age=60'))
        await scene.until(has('logo.svg', 'max-age=60'))
        scene.kill(dead)
        scene.checkSite(await scene.whole('next', siteOf(1)))
        await scene.checkEnd()
      },
    )

    it('of a release are not taken for those of a deploy that died in the same second', async () => {
      scene = new Scene(new Random(1), { grain: 1000 })
      await scene.whole('first', siteOf(1))
      const dead = scene.start('dead', siteOf(1, 'max-age=60'))
      await scene.until(isHeld(isOf(dead, '.lock')), isOf(dead, '.lock'))
      scene.kill(dead)
      scene.checkSite(await scene.whole('next', siteOf(1, 'max-age=60')))
      await scene.checkEnd()
    })

    it('that a deploy gave after it had waited for a release are put right by who came after that', async () => {
      const ahead = scene.start('ahead', siteOf(3))
      await scene.until(isHeld(isOf(ahead, '.html')), isOf(ahead, '.html'))
      const dead = scene.start('dead', siteOf(4, 'max-age=60'))
      await scene.until(isHeld(isOf(dead, '.lock')), isOf(ahead, '.html'))
      await scene.pass(3000)
      await scene.until(isHeld(isOf(dead, '.html')), isOf(dead, '.html'))
      expect(ahead.outcome).toBe('ended')
      await scene.pass(3000)
      const next = scene.start('next', siteOf(4))
      await scene.until(isHeld(isOf(next, '.lock')), isOf(dead, '.html'))
      await scene.until(has('index.html', 'max-age=60'), isOf(next))
      scene.kill(dead)
      await scene.until(() => next.outcome !== 'under way')
      scene.checkSite(next)
      await scene.checkEnd()
    })

    it.each([2, 3, 5])(
      'of a deploy that died are told from those of %i others, which died before they wrote',
      async (count) => {
        const dead = scene.start('dead', siteOf(2, 'max-age=60'))
        await scene.until(isHeld(isOf(dead, '.lock')), isOf(dead, '.lock'))
        for (let i = 0; i < count; i++) {
          const other = scene.start(`other ${i}`, siteOf(2))
          await scene.until(isHeld(isOf(other, '.lock')), ({ what }) => what.endsWith('.lock'))
          scene.kill(other)
          scene.network.forget(Date.now())
        }
        await scene.until(has('index.html', 'max-age=60'))
        scene.kill(dead)
        scene.checkSite(await scene.whole('next', siteOf(2)))
        await scene.checkEnd()
      },
    )

    it.each([
      ['before', 0],
      ['after', 1],
    ])(
      'of a new fingerprinted file are the release’s, even if a deploy that died wrote it in the same second, %s it',
      async (_when, turn) => {
        scene = new Scene(new Random(1), { grain: 1000 })
        const isAsset = (deploy: Deploy) => isOf(deploy, 'put static/assets/')
        const ours = scene.start('ours', siteOf(2), { concurrency: 16 })
        const dead = scene.start('dead', siteOf(2, 'no-cache', 'max-age=60'), { concurrency: 16 })
        const both = [ours, dead]
        await scene.until(
          () => both.every((deploy) => isHeld(isAsset(deploy))()),
          ({ what }) => what.startsWith('put '),
        )
        for (const deploy of turn === 0 ? [dead, ours] : [ours, dead]) {
          for (const request of scene.network.held.filter(isAsset(deploy))) await scene.advance(request)
        }
        scene.kill(dead)
        await scene.until(() => ours.outcome !== 'under way')
        scene.checkSite(ours)
        scene.checkSite(await scene.whole('next', siteOf(2)))
        await scene.checkEnd()
      },
    )

    it('of a name that a deploy found changed only under its lock are put right after its death', async () => {
      await scene.whole('first', siteOf(1))
      const more = fileOf('more.txt', 'asset', 'more', {})
      const dead = scene.start('dead', [...siteOf(1), more], { building: 10_000 })
      const other = scene.start('other', siteOf(1, 'max-age=60'), { building: 10_000 })
      await scene.pass(1)
      await scene.whole('between', siteOf(1, 'max-age=60'))
      await scene.until(isHeld(isOf(other, '.lock')), ({ what }) => what.endsWith('.lock'))
      scene.kill(other)
      expect(has('index.html', 'max-age=60')()).toBe(true)
      await scene.until(has('index.html', 'no-cache'))
      scene.kill(dead)
      scene.checkSite(await scene.whole('next', siteOf(1, 'max-age=60')))
      await scene.checkEnd()
    })
  })

  describe('the lock, while the last fingerprinted file is on its way', () => {
    let first: Deploy

    beforeEach(async () => {
      first = await scene.whole('first', siteOf(1))
    })

    const secondLock = lockKey(folder, 2)
    const isLast = (deploy: Deploy) => isOf(deploy, '/assets/app-')
    const isLock = (deploy: Deploy) => isOf(deploy, `put ${secondLock}`)
    const lastIs =
      (failure: Failure): Fails =>
      (_number, what) =>
        what.includes('/assets/app-') ? failure : undefined
    /** All at once: none waits for its turn. */
    const begin = (name: string, options: DeployOptions = {}) =>
      scene.start(name, siteOf(2), { concurrency: 16, ...options })
    const bytesOf = (key: string) => scene.bucket.objects.get(key)?.bytes

    /** Until nothing but that is left of it. */
    async function heldBack(isHeldBack: (request: HeldRequest) => boolean): Promise<void> {
      await scene.until(isHeld(isHeldBack), isHeldBack)
      await scene.until(() => scene.network.held.every(isHeldBack), isHeldBack)
    }

    /** Carried out, or refused, and answered. */
    async function settle(isIt: (request: HeldRequest) => boolean): Promise<void> {
      for (const request of scene.network.held.filter(isIt)) {
        while (!request.over) await scene.advance(request)
      }
    }

    it.each([
      ['has not arrived', false],
      ['has arrived, and is not answered', true],
    ])('is given up when that is refused, though the lock %s yet', async (_what, arrives) => {
      const broken = begin('broken', { fails: lastIs('refused') })
      const isHeldBack = (request: HeldRequest) => isLast(broken)(request) || isLock(broken)(request)
      await scene.until(isHeld(isLock(broken)), isHeldBack)
      await heldBack(isHeldBack)
      for (const request of arrives ? scene.network.held.filter(isLock(broken)) : []) await scene.advance(request)
      await settle(isLast(broken))
      expect(`${bytesOf(secondLock)}`.includes('"broken"')).toBe(arrives)
      await scene.until(() => broken.outcome !== 'under way')
      expect(broken.problem?.message).toMatch(/app-.*AccessDenied\nThe site stands as it was\./)
      expect(bytesOf(secondLock)).toEqual(Buffer.alloc(0))
      const begun = Date.now()
      scene.checkSite(await scene.whole('next', siteOf(4)))
      // Not when the lock has expired.
      expect(Date.now() - begun).toBeLessThan(5000)
      await scene.checkEnd()
    })

    it('is no longer waited for when that is refused, and the one of who has it stands', async () => {
      const other = scene.start('other', siteOf(4))
      await scene.until(isHeld(isOf(other, '.html')), isOf(other, '.html'))
      const broken = begin('broken', { fails: lastIs('refused') })
      const isHeldBack = (request: HeldRequest) => isOf(other, '.html')(request) || isLast(broken)(request)
      await scene.until(isHeld(isOf(broken, `get ${secondLock}`)), isHeldBack)
      const seen = Date.now()
      await scene.until(() => Date.now() - seen > 3000, isHeldBack)
      const theirs = scene.bucket.objects.get(secondLock)
      expect(`${theirs?.bytes}`).toContain('"other"')
      await settle(isLast(broken))
      const refused = Date.now()
      await scene.until(() => broken.outcome !== 'under way', isHeldBack)
      expect(Date.now() - refused).toBeLessThan(500)
      expect(broken.problem?.message).toMatch(/app-.*AccessDenied\nThe site stands as it was\./)
      expect(scene.bucket.objects.get(secondLock)).toBe(theirs)
      expect(bytesOf(lockKey(folder, 3))).toBeUndefined()
      await scene.until(() => other.outcome !== 'under way')
      expect(other.released?.release).toBe(2)
      scene.checkSite(other)
      await scene.checkEnd()
    })

    it('that gets no answer does not keep that from going up, and is what is said then', async () => {
      const unhandled = vi.fn()
      process.on('unhandledRejection', unhandled)
      try {
        const fails: Fails = (_number, what) => (what.endsWith('.lock') ? 'no answer' : undefined)
        const broken = begin('broken', { fails })
        const isHeldBack = (request: HeldRequest) => isLast(broken)(request) || request.cutAt !== undefined
        await scene.until(() => scene.network.log.some((line) => line.endsWith(secondLock)), isHeldBack)
        await heldBack(isHeldBack)
        await scene.pass(1000)
        expect(broken.outcome).toBe('under way')
        await scene.until(
          () => broken.outcome !== 'under way',
          ({ cutAt }) => cutAt !== undefined,
        )
        expect(broken.problem?.message).toMatch(/99999997\.lock: ECONNRESET\nThe site stands as it was\. \d/)
        for (const { key, group } of broken.files) {
          if (group === 'fingerprinted') expect(bytesOf(key), key).toBeDefined()
        }
        scene.checkSite(first)
        expect(unhandled).not.toHaveBeenCalled()
      } finally {
        process.off('unhandledRejection', unhandled)
      }
    })

    it('that is refused is requested once: the deploy goes on without one', async () => {
      const { name } = begin('alone', { fails: (_number, what) => (what.endsWith('.lock') ? 'refused' : undefined) })
      // A deploy without a lock may write what visitors see, but the scene minds.
      const isSeen = ({ what }: HeldRequest) => /^(put|copy) static\/(?!assets)/.test(what)
      await scene.until(isHeld(isSeen), isSeen)
      const ofLock = scene.network.log.filter((line) => line.startsWith(name) && line.includes('.lock'))
      expect(ofLock).toHaveLength(1)
      expect(scene.network.held.filter((request) => !isSeen(request))).toEqual([])
      expect(bytesOf(secondLock)).toBeUndefined()
    })

    it('that is lost meanwhile ends the deploy before visitors see anything of it, and the next run carries on', async () => {
      const slow = begin('slow')
      await scene.until(isHeld(isLast(slow)), isLast(slow))
      await heldBack(isLast(slow))
      const takenAt = Date.now()
      expect(`${bytesOf(secondLock)}`).toContain('"slow"')
      await scene.until(() => Date.now() - takenAt > 31_000, isOf(slow))
      const other = scene.start('other', siteOf(4))
      await scene.until(() => other.outcome !== 'under way', isOf(slow))
      expect(other.released?.release).toBe(3)
      await scene.until(() => slow.outcome !== 'under way')
      expect(slow.problem?.message).toMatch(
        /could not be renewed for 25 seconds.*\nThe site stands as it was\. \d+ of/s,
      )
      scene.checkSite(other)
      await scene.checkEnd()
      const next = await scene.whole('next', siteOf(2))
      expect(
        next.released?.decisions?.filter(({ file, action }) => file.group === 'fingerprinted' && action === 'upload'),
      ).toEqual([])
      scene.checkSite(next)
      await scene.checkEnd()
    })
  })

  describe('numbers and their holders', () => {
    const lockOf = (release: number) => lockKey(folder, release)
    const bytesOf = (release: number) => scene.bucket.objects.get(lockOf(release))?.bytes.toString()
    const hasSurveyed =
      ({ name }: Deploy) =>
      () =>
        scene.network.log.some((line) => line.includes(`${name} gets the answer to: list ${location}/`))
    const isOver = (deploy: Deploy) => () => deploy.outcome !== 'under way'
    const refusedPages: Fails = (_number, what) => (what.endsWith('.html') ? 'refused' : undefined)

    /** As a machine does: its clock goes on, and its timers don't. */
    const sleepFor = (milliseconds: number) => vi.setSystemTime(Date.now() + milliseconds)

    async function arrive(isIt: (request: HeldRequest) => boolean): Promise<void> {
      for (const request of scene.network.held.filter(isIt)) {
        while (!request.over) await scene.advance(request)
      }
    }

    /** The deploy has ended or failed, its site stands, and the record says so. */
    async function expectStanding(deploy: Deploy, release: number): Promise<void> {
      expect(deploy.released?.release).toBe(release)
      scene.checkSite(deploy)
      await scene.checkEnd()
    }

    it.each([
      ['changed', 3],
      ['unchanged', 1],
    ])('a deploy that surveyed before two releases, and found its site %s, comes after them', async (_what, there) => {
      await scene.whole('first', siteOf(there))
      const late = scene.start('late', siteOf(1), { building: 120_000 })
      await scene.until(hasSurveyed(late))
      await scene.whole('one', siteOf(2, 'max-age=60'))
      await scene.whole('two', siteOf(4))
      expect(late.outcome).toBe('under way')
      await scene.until(isOver(late))
      await expectStanding(late, 4)
    })

    it('a deploy that surveyed before one that gave up and one that died takes neither number', async () => {
      await scene.whole('first', siteOf(1))
      const late = scene.start('late', siteOf(4), { building: 60_000 })
      await scene.until(hasSurveyed(late))
      await scene.whole('broken', siteOf(2), { fails: refusedPages })
      expect(bytesOf(2)).toBe('')
      const dead = scene.start('dead', siteOf(3))
      await scene.until(has('index.html', 'version 3'))
      scene.kill(dead)
      await scene.until(isOver(late))
      await expectStanding(late, 4)
    })

    it('a deploy that saw an expired lock before another one took it over, and released, comes after that', async () => {
      await scene.whole('first', siteOf(1))
      const dead = scene.start('dead', siteOf(2))
      await scene.until(has('index.html', 'version 2'))
      scene.kill(dead)
      await scene.pass(40_000)
      const late = scene.start('late', siteOf(4))
      await scene.until(hasSurveyed(late))
      const isSecondLook = isOf(late, `list ${folder}`)
      await scene.until(isHeld(isSecondLook))
      for (const request of scene.network.held.filter(isSecondLook)) await scene.advance(request)
      const other = scene.start('other', siteOf(3))
      await scene.until(isOver(other), isSecondLook)
      expect(other.released?.release).toBe(3)
      await scene.until(isOver(late))
      await expectStanding(late, 4)
    })

    const twice: Fails = (_number, what) => (/^put .*\.lock$/.test(what) ? 'sent twice' : undefined)

    it('a lock whose answer was lost, and that was requested again, is its own', async () => {
      await scene.whole('first', siteOf(1))
      const begun = Date.now()
      const deploy = await scene.whole('twice', siteOf(2), { fails: twice })
      expect(scene.network.log.filter((line) => line === `twice: put ${lockOf(2)}`)).toHaveLength(2)
      expect(Date.now() - begun).toBeLessThan(5000)
      await expectStanding(deploy, 2)
    })

    it('a lock whose answer was lost is nobody’s when it is requested again after another deploy took over', async () => {
      await scene.whole('first', siteOf(1))
      const slow = scene.start('slow', siteOf(2), { fails: twice })
      await scene.until(() => bytesOf(2)?.includes('"slow"') ?? false)
      const isLock = isOf(slow, lockOf(2))
      const other = scene.start('other', siteOf(4))
      await scene.until(isOver(other), isLock)
      expect(bytesOf(2)).toContain('"slow"')
      await scene.until(isOver(slow))
      expect(slow.problem?.message).toMatch(/could not be renewed for 25 seconds.*\nThe site stands as it was\./s)
      await expectStanding(other, 3)
    })

    it('a lock that was requested by a deploy that died does not come after the release of that number', async () => {
      await scene.whole('first', siteOf(1))
      const dead = scene.start('dead', siteOf(2))
      await scene.until(isHeld(isOf(dead, lockOf(2))), isOf(dead, lockOf(2)))
      scene.kill(dead)
      const next = scene.start('next', siteOf(4))
      await scene.until(isOver(next), isOf(dead))
      expect(scene.network.held.filter(isOf(dead, lockOf(2)))).toHaveLength(1)
      await arrive(isOf(dead))
      expect(bytesOf(2)).toContain('"next"')
      await expectStanding(next, 2)
      await expectStanding(await scene.whole('last', siteOf(2)), 3)
    })

    it('a lock that is given up late does not end the one of the next deploy', async () => {
      await scene.whole('first', siteOf(1))
      scene.start('broken', siteOf(2), { fails: refusedPages })
      const isGivingUp = ({ by, what }: HeldRequest) =>
        by === 'broken' && what === `put ${lockOf(2)}` && scene.network.log.includes('broken: put static/index.html')
      await scene.until(() => scene.network.log.some((line) => /broken gets the answer.*index\.html/.test(line)))
      await scene.until(isHeld(isGivingUp), isGivingUp)
      const next = scene.start('next', siteOf(4))
      await scene.until(isHeld(isOf(next, '.html')), (request) => isGivingUp(request) || isOf(next, '.html')(request))
      await arrive(isGivingUp)
      expect(bytesOf(2)).toBe('')
      const last = scene.start('last', siteOf(3))
      const begun = Date.now()
      await scene.until(() => Date.now() - begun > 60_000, isOf(next, '.html'))
      expect(last.outcome).toBe('under way')
      await scene.until(isOver(last))
      expect(next.released?.release).toBe(3)
      await expectStanding(last, 4)
    })

    describe('after a holder has slept through its lock, and another deploy has released,', () => {
      async function sleepThrough(slow: Deploy): Promise<Deploy> {
        sleepFor(60_000)
        const other = scene.start('other', siteOf(4))
        await scene.until(isOver(other), isOf(slow))
        expect(other.released?.release).toBe(3)
        await scene.until(isOver(slow))
        return other
      }

      beforeEach(async () => {
        await scene.whole('first', siteOf(1))
      })

      it('it writes no page', async () => {
        const slow = scene.start('slow', siteOf(2), { concurrency: 16 })
        const isLast = isOf(slow, '/assets/app-')
        await scene.until(isHeld(isLast), isLast)
        await scene.until(() => scene.network.held.every(isLast), isLast)
        expect(bytesOf(2)).toContain('"slow"')
        const other = await sleepThrough(slow)
        expect(slow.problem?.message).toMatch(/could not be renewed for 25 seconds.*\nThe site stands as it was\./s)
        await expectStanding(other, 3)
      })

      it('it writes no second page', async () => {
        const slow = scene.start('slow', siteOf(2), { concurrency: 1 })
        await scene.until(has('index.html', 'version 2'))
        const other = await sleepThrough(slow)
        expect(slow.problem?.message).toMatch(/could not be renewed for 25 seconds.*\n1 page is new/s)
        await expectStanding(other, 3)
      })

      it('it writes no record', async () => {
        const slow = scene.start('slow', siteOf(2), { concurrency: 16 })
        const isPage = isOf(slow, '.html')
        await scene.until(isHeld(isPage), isPage)
        for (const request of scene.network.held.filter(isPage)) await scene.advance(request)
        const other = await sleepThrough(slow)
        expect(slow.released?.release).toBeUndefined()
        expect(scene.network.log.filter((line) => line.startsWith('slow: put') && line.includes('.json.gz'))).toEqual(
          [],
        )
        await expectStanding(other, 3)
      })
    })
  })

  it('a release on top of one that stopped in the middle is whole', async () => {
    await scene.whole('first', siteOf(1))
    const dead = scene.start('dead', siteOf(2))
    await scene.until(has('index.html', 'version 2'))
    scene.kill(dead)
    const pages = ['index.html', 'about.html'].map((path) => scene.bucket.objects.get(`${location}/${path}`)?.bytes)
    expect(new Set(pages.map((page) => /<title>.*<\/title>/.exec(`${page}`)?.[0])).size).toBe(2)
    scene.checkSite(await scene.whole('next', siteOf(1)))
    await scene.checkEnd()
  })
})
