import { type Classified, classify } from '../files/classify.js'
import { collect, type Output, type Snapshot } from '../files/collect.js'
import { type HashedFile, type HashFilesOptions, hashFiles, type Secret } from '../files/hash.js'
import { type EditableFiles, editable } from '../files/rewrite-file.js'
import { pointManifestPictures } from '../files/web-app-manifest.js'
import { urlInBucket } from '../files/why-left-out.js'
import { type Conclusion, type ProofInput, startProof } from '../prove/prove.js'
import type { Cleanup } from '../release/cleanup.js'
import { needsMd5 } from '../release/plan.js'
import type { Deployer } from '../release/records/record.js'
import type { Activation } from '../release/staging.js'
import type { Survey } from '../release/survey.js'
import { StaticS3Error } from '../runtime/error.js'
import { secretParts } from '../settings/credentials.js'
import type { Settings } from '../settings/settings.js'
import type { EarlySurvey } from './early-survey.js'
import type { ReleaseFile } from './release-file.js'

export interface FolderInput extends Pick<ProofInput, 'base' | 'resolvesPath'> {
  settings: Settings
  /** Undefined with `upload: false`. */
  earlySurvey: EarlySurvey | undefined
  outputs: readonly Output[]
  /** The content of the output folders when the build began. */
  before: Map<string, Snapshot>
  /** Folders inside the output folders that belong to another build. */
  notOurs: readonly string[]
  /** Changes files before they are read. */
  prepareFiles?: (files: EditableFiles) => Promise<void>
}

/**
 * Finds the files of a build and decides about each.
 *
 * @throws StaticS3Error with every problem that stops the deploy
 */
export async function findFiles(input: FolderInput): Promise<Classified> {
  const { settings, outputs, before, notOurs, base, prepareFiles } = input
  const collected = await collect(outputs, before, notOurs)
  await prepareFiles?.(editable(collected.files))
  if (settings.rewrite) {
    collected.files = await pointManifestPictures(collected.files, base, urlInBucket(settings, outputs))
  }
  const classified = classify(collected, settings, outputs)
  throwProblems(classified.problems)
  return classified
}

export interface Proved extends Pick<Conclusion, 'warnings' | 'hints'> {
  files: readonly HashedFile[]
}

/** The files of a release, if they do not come from output folders. */
export interface FileSource {
  /** @param signal ends it, with its reason */
  find(signal: AbortSignal): Promise<Classified>
  hash(found: Classified, survey: Survey | undefined, signal: AbortSignal): Promise<Proved>
  /** @param own the author of this deploy */
  deployer(own: Deployer): Deployer
  cleanup?: Cleanup
  /** False if no later release restores these files. */
  isRestorable?: boolean
  /** For a release that activates the files of another one. */
  activation?(): Activation
  /** Called with each survey. It throws if the files are not there any more. */
  check?(survey: Survey): Promise<void>
}

export interface HashOptions {
  /** Ends it, with its reason. */
  signal?: AbortSignal
  /** Files on the disk that the builds of the same run bring into the bucket, by key. */
  coming?: ReadonlyMap<string, string>
  /** Files of the release that are not on the disk, because the bucket has their bytes. */
  known?: readonly HashedFile[]
  /** Undefined for files that already were a release. */
  releaseFile?: ReleaseFile
}

/**
 * Hashes the files, searches them for secrets, and proves that the release is whole.
 *
 * @param survey undefined with `upload: false`
 * @throws StaticS3Error with every problem that stops the deploy, such as a secret in a file
 */
export async function hashFound(
  found: Classified,
  { settings, earlySurvey, base, resolvesPath }: Omit<FolderInput, 'outputs' | 'before' | 'notOurs' | 'prepareFiles'>,
  survey: Survey | undefined,
  { signal, coming, known = [], releaseFile }: HashOptions = {},
): Promise<Proved> {
  const { lookFor, conclude } = startProof({
    found,
    settings,
    listing: survey?.listing,
    coming,
    base,
    resolvesPath,
  })
  const paths = new Set(known.map(({ path }) => path))
  const onDisk = found.files.filter(({ path }) => !paths.has(path))
  const lookTwice = bothLooks(lookFor, releaseFile?.lookFor)
  const hashed = await hashOnly({ files: onDisk }, { settings, earlySurvey }, survey, { lookFor: lookTwice, signal })
  const files = [...hashed, ...known]
  const { problems, warnings, hints } = await conclude(files)
  throwProblems(problems)
  const all = releaseFile?.addTo(files)
  return { files: all?.files ?? files, warnings, hints: [...hints, ...(all?.hints ?? [])] }
}

type LookFor = NonNullable<HashFilesOptions['lookFor']>

function bothLooks(first: LookFor, second?: LookFor): LookFor {
  return (file) => {
    const looks = [first(file), second?.(file)].filter((look) => look !== undefined)
    return looks.length < 2
      ? looks[0]
      : (bytes) => {
          for (const look of looks) look(bytes)
        }
  }
}

/**
 * Hashes the files, and searches them for secrets.
 *
 * @throws StaticS3Error with every problem that stops the deploy
 */
export async function hashOnly(
  { files }: Pick<Classified, 'files'>,
  { settings, earlySurvey }: Pick<FolderInput, 'settings' | 'earlySurvey'>,
  survey: Survey | undefined,
  options: Parameters<typeof hashFiles>[3],
): Promise<readonly HashedFile[]> {
  const secrets = await secretsOf(settings, earlySurvey)
  const hashed = await hashFiles(files, secrets, survey ? needsMd5(survey) : () => false, options)
  throwProblems(hashed.problems)
  return hashed.files
}

async function secretsOf(
  { secrets, credentials: set }: Settings,
  earlySurvey: EarlySurvey | undefined,
): Promise<Secret[]> {
  const known = set && 'secretAccessKey' in set ? set : undefined
  const credentials = earlySurvey ? await (await earlySurvey.connection).credentials() : known
  const remedy = 'take it out of the build, and replace the key'
  const inUse = (credentials ? secretParts(credentials) : []).map((part) => ({ ...part, remedy }))
  return [
    ...inUse,
    ...secrets
      .filter(({ value }) => inUse.every((each) => each.value !== value))
      .map(({ name, value, isPassword }) => ({
        name: `the ${isPassword ? 'password in' : 'value of'} ${name}, which stands in a .env file`,
        value,
        remedy: `take it out of the build, and replace it; if everybody may know it: allowSecrets: ['${name}']`,
      })),
  ]
}

/** @throws StaticS3Error that lists the problems, if there are any */
export function throwProblems(problems: readonly string[]): void {
  if (problems.length === 0) return
  throw new StaticS3Error(`static-s3: nothing was uploaded\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
}
