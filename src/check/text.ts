import pc from 'picocolors'
import { printable } from '../runtime/printable.js'
import { type Checked, outcomeOf } from './check.js'

type Colors = ReturnType<typeof pc.createColors>

/** A finding for people. Remedies have lines of their own, so that they can be copied. */
export function findingAsText({ verdict, fault, saw, remedy, point }: Checked, colors: Colors = pc): string {
  const marks = { pass: colors.green('✓'), fail: colors.red('✗'), unknown: colors.yellow('?') }
  const mark = verdict === 'pass' && fault !== undefined ? colors.yellow('!') : marks[verdict]
  const indented = (text: string) => printable(text).replace(/\n(?=.)/g, '\n      ')
  const shown = fault === undefined ? colors.dim(indented(saw)) : indented(saw)
  const advice = remedy === undefined ? '' : `\n      ${colors.cyan(indented(remedy))}`
  return `  ${mark} ${point.name}: ${shown}${advice}`
}

/** The last lines. Skipped points are counted, because one cause gives one fault. */
export function conclusion(findings: readonly Checked[], colors: Colors = pc): string {
  const looked = findings.filter(({ because }) => !because)
  const causes = [...new Set(findings.flatMap(({ because }) => because ?? []))]
  const skipped = causes.map((cause) => {
    const names = findings.filter(({ because }) => because === cause).map(({ point }) => point.name)
    return colors.dim(`${names.length} skipped until "${cause.name}" passes: ${names.join(', ')}\n`)
  })
  const hints = looked.filter(({ verdict, fault }) => verdict === 'pass' && fault !== undefined).length
  const counts = (['pass', 'fail', 'unknown'] as const).flatMap((verdict) => {
    const count = looked.filter((found) => found.verdict === verdict).length
    const withHints = verdict === 'pass' && hints > 0 ? ` (${hints} with a hint)` : ''
    return count === 0 ? [] : [`${count} ${verdict}${withHints}`]
  })
  const list = counts.join(', ')
  const outcomes = {
    fine: colors.green(`✓ fine: ${list}`),
    broken: colors.red(`✗ broken: ${list}`),
    unclear: colors.yellow(`? cannot tell: ${list}`),
  }
  return skipped.join('') + outcomes[outcomeOf(findings)]
}

/** A finding for scripts. */
export function findingAsData({ point, verdict, fault, saw, remedy, because }: Checked): object {
  return { group: point.group, point: point.name, verdict, fault, saw, remedy, because: because?.name }
}
