import { StaticS3Error } from '../runtime/error.js'
import type { Compiler } from './compiler.js'

interface Framework {
  name: string
  /** Whether the configuration is the framework's. */
  owns: (compiler: Pick<Compiler, 'options' | 'hooks'>) => boolean
  /** Why this plugin cannot deploy the framework's site. */
  because: string
  /** The line of the framework's own entry, and its place. */
  line: string
}

/** Frameworks with an entry of their own. */
const frameworks: Framework[] = [
  {
    name: 'Next',
    owns: ({ options }) => hasAlias(options, /^private-next-/),
    because: 'its output folder also holds the code of its server',
    line: "adapterPath: require.resolve('static-s3/next') in next.config",
  },
  {
    name: 'Docusaurus',
    owns: ({ options }) => hasAlias(options, /^@docusaurus\/useBaseUrl$/),
    because: 'it writes its pages after the bundler',
    line: "plugins: ['static-s3/docusaurus'] in docusaurus.config",
  },
  {
    name: 'Rsbuild',
    owns: ({ hooks }) => hooks.done.taps.some(({ name }: { name: string }) => /^rsbuild:/i.test(name)),
    because: 'it decides about failure before the deploy',
    line: "plugins: [staticS3()] from 'static-s3/rsbuild' in rsbuild.config",
  },
]

function hasAlias({ resolve }: Compiler['options'], name: RegExp): boolean {
  const alias = Object(resolve?.alias)
  const names = Array.isArray(alias) ? alias.map((each) => String(each.name)) : Object.keys(alias)
  return names.some((each) => name.test(each))
}

/** @throws StaticS3Error in the configuration of a framework with an entry of its own, which it names */
export function refuseFramework(compiler: Pick<Compiler, 'options' | 'hooks'>): void {
  const framework = frameworks.find(({ owns }) => owns(compiler))
  if (!framework) return
  const { name, because, line } = framework
  throw new StaticS3Error(
    `static-s3: StaticS3Plugin stands in ${name}'s configuration and cannot deploy its site, because ${because}: remove the plugin, and write ${line}`,
  )
}
