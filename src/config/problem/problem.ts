import { endSentence } from '../../core/sentence.ts'

/** Where in the configuration, for example `['servers', 0, 'path']`. */
export type ConfigPath = readonly (string | number)[]

/** What is wrong with a value and what to do about it. Neither text holds the value of a secret. */
export interface Mistake {
  readonly reason: string
  readonly fix: string
}

/** One mistake of the configuration. */
export interface Problem extends Mistake {
  readonly at: ConfigPath
  /** The same for people: `servers[0].path`. Empty for the whole file. */
  readonly path: string
  /** Where in the file, when that is known. Both count from 1. */
  readonly position?: { readonly line: number; readonly column: number }
}

/** Takes down a mistake. */
export type Report = (at: ConfigPath, mistake: Mistake) => void

/** The configuration cannot be used. Holds every mistake that was found, not only the first. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[]
  /** The file, where it was one. */
  readonly file: string | undefined

  /** @param problems - at least one mistake; told in the order of the file */
  constructor(problems: readonly Problem[], file?: string) {
    const sorted = problems.toSorted(compareLines)
    super(sorted.map((problem) => formatProblem(problem)).join('\n'))
    this.name = 'ConfigError'
    this.problems = sorted
    this.file = file
  }
}

/** What has no place in the file is missing from it, and comes last. */
function compareLines({ position: one }: Problem, { position: other }: Problem): number {
  if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined)
  return one.line - other.line || one.column - other.column
}

/** A mistake at a place. */
export function problemAt(at: ConfigPath, mistake: Mistake): Problem {
  return { at, path: formatPath(at), reason: mistake.reason, fix: mistake.fix }
}

/** `['servers', 0, 'upstream', 'X-Key']` → `servers[0].upstream["X-Key"]`. */
export function formatPath(at: ConfigPath): string {
  return at.reduce<string>((text, segment, index) => text + formatSegment(hideValue(segment, at[index - 1]), text === ''), '')
}

/** Where names and values stand side by side, what is behind a name that is none may be a secret: `env: ["TOKEN secret"]`. */
function hideValue(segment: string | number, parent: string | number | undefined): string | number {
  return typeof segment === 'string' && (parent === 'env' || parent === 'headers') ? hideBehindName(segment) : segment
}

/** A name, without what is written behind it. */
export function hideBehindName(text: string): string {
  return text.replace(/(?<=^[\w-]*)[^\w-].{3,}$/s, ' …')
}

/** Whether a text that should be a name looks like the secret itself, which is not repeated. */
export function looksLikeSecret(text: string): boolean {
  return text.length >= 16 && /\d/.test(text) && /[a-z]/.test(text) && !/[./\\]/.test(text)
}

/** What is told of a mistake. */
type ToldProblem = Mistake & { readonly path: string; readonly position?: Problem['position'] | undefined }

/** A mistake in three lines, for people. */
export function formatProblem(problem: ToldProblem, file?: string): string {
  return `${formatPlace(problem, file)}\n  ${problem.reason}\n  Fix: ${problem.fix}`
}

/** The same in one line, for a log. */
export function formatProblemLine(problem: ToldProblem, file?: string): string {
  const { reason, fix } = problem
  return `${formatPlace(problem, file)}: ${endSentence(reason)} Fix: ${fix}`
}

function formatPlace({ path, position }: ToldProblem, file = 'the configuration'): string {
  const place = position === undefined ? '' : ` (line ${position.line}, column ${position.column})`
  return `${path === '' ? file : path}${place}`
}

/** A place of the configuration, and what its author calls it. */
export type Place = readonly [path: RegExp, name: string]

/** What a place is called. The first that fits counts. */
export function namePlace(path: string, places: readonly Place[]): string | undefined {
  return places.find(([pattern]) => pattern.test(path))?.[1]
}

/** Mistakes of a configuration that was made from something else, told in the words of that. */
export function renameProblems(problems: readonly Problem[], places: readonly Place[]): Problem[] {
  return problems.map((problem) => {
    const name = namePlace(problem.path, places)
    return name === undefined ? problem : { ...problem, at: name.split('.'), path: name }
  })
}

/** Text from a configuration inside a message: quoted, on one line, bounded. */
export function quote(text: string): string {
  return text.length > 80 ? `${JSON.stringify(text.slice(0, 77))}…` : JSON.stringify(text)
}

function formatSegment(segment: string | number, first: boolean): string {
  if (typeof segment === 'number') return `[${segment}]`
  if (!/^[\w-]+$/.test(segment)) return `[${quote(segment)}]`
  return first ? segment : `.${segment}`
}
