import { describe, expect, it } from 'vitest'
import { type Candidate, keptReleases } from '../../src/prune/kept-releases.js'

const day = 24 * 60 * 60 * 1000
const now = 1000 * day

/** `40 live` is a release that went live 40 days ago. The newest comes first, and its number is the length of the list. */
function candidates(list: readonly string[], more: Partial<Candidate>[] = []): Candidate[] {
  let live = 0
  const oldestFirst = [...list].reverse().map((text, i): Candidate => {
    const [age, kind] = text.split(' ') as [string, Candidate['kind']]
    const release = i + 1
    if (kind === 'live') live = release
    return { release, kind, live, activated: undefined, isHeld: false, project: 'app', at: now - Number(age) * day }
  })
  return oldestFirst.reverse().map((candidate, i) => ({ ...candidate, ...more[i] }))
}

const keep = (list: Candidate[], releases: number, days: number, standing?: Set<number>) =>
  list
    .map(({ release }) => release)
    .filter((each) => keptReleases(list, { releases, days }, now, standing).kept.has(each))

describe('the kept releases', () => {
  it.each<[what: string, list: string[], releases: number, days: number, kept: number[]]>([
    ['the only one', ['99 live'], 1, 0, [1]],
    ['the newest three', ['40 live', '50 live', '60 live', '70 live'], 3, 30, [4, 3, 2]],
    ['younger ones', ['1 live', '2 live', '3 live', '40 live', '90 live'], 1, 30, [5, 4, 3, 2]],
    // Open tabs may have loaded it an hour ago.
    ['an old one that was replaced lately', ['1 live', '400 live', '500 live'], 1, 30, [3, 2]],
    ['no other one without days', ['0 live', '0 live'], 1, 0, [2]],
    ['a staged one that is to follow, whatever its age', ['90 staged', '95 live', '99 live'], 1, 30, [3, 2]],
    ['the live one, below staged ones', ['1 staged', '2 staged', '99 live', '99 live'], 1, 0, [4, 3, 2]],
    ['a staged one among the newest', ['40 live', '50 staged', '60 live', '70 staged'], 2, 30, [4, 3, 2]],
    ['no old staged one that others followed', ['40 live', '50 staged', '60 live', '70 staged'], 1, 30, [4]],
    ['a young staged one that another one followed', ['1 live', '2 staged', '60 live'], 1, 10, [3, 2, 1]],
    [
      'the newest record, and the live one that it names',
      ['50 none', '60 none', '90 live', '99 live'],
      1,
      30,
      [4, 3, 2],
    ],
    ['no old hold', ['40 live', '50 none', '60 live'], 1, 30, [3]],
  ])('%s', (_what, list, releases, days, kept) => {
    expect(keep(candidates(list), releases, days)).toEqual(kept)
  })

  it('are those that a kept one activated, and theirs', () => {
    const list = candidates(['40 live', '50 live', '60 live', '70 live'], [{ activated: 2 }, {}, { activated: 1 }])
    expect(keep(list, 1, 30)).toEqual([4, 2, 1])
  })

  it('are not all earlier ones if each was staged before it went live', () => {
    const list = candidates(
      ['40 live', '41 staged', '50 live', '51 staged', '60 live'],
      [{ activated: 4 }, {}, { activated: 2 }],
    )
    expect(keep(list, 1, 30)).toEqual([5, 4])
    expect(keep(list, 2, 30)).toEqual([5, 4, 3, 2])
  })

  it('are, during a hold, the release that the rollback replaced', () => {
    const list = ['40 staged', '50 live', '60 live', '70 live']
    expect(keep(candidates(list, [{ isHeld: true }, { activated: 1 }]), 1, 0)).toEqual([4, 3, 2, 1])
    expect(keep(candidates(list, [{}, { activated: 1 }]), 1, 0)).toEqual([4, 3, 1])
  })

  it('are those whose pages still stand', () => {
    expect(keep(candidates(['40 live', '50 live', '60 live']), 1, 0, new Set([1]))).toEqual([3, 1])
  })

  it('are counted for each project', () => {
    const list = candidates(['40 live', '50 live', '60 live', '70 live'], [{}, { project: 'b' }, {}, { project: 'b' }])
    expect(keep(list, 1, 0)).toEqual([4, 3])
    expect([...keptReleases(list, { releases: 1, days: 0 }, now).live]).toEqual([4, 3])
  })

  it('are those whose time no store tells', () => {
    expect(keep(candidates(['40 live', '50 live'], [{ at: undefined }]), 1, 30)).toEqual([2, 1])
  })
})
