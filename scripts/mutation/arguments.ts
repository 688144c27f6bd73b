import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'

export interface MutationArguments {
  /** Folders and files below the working directory, without a slash at the end. */
  readonly paths: readonly string[]
  /** Globs of tests that judge what the tests beside the source let live, instead of the usual ones; empty for none. */
  readonly tests: readonly string[] | undefined
  /** How many of the top-level declarations are changed: 0 to 1, chosen by the seed. */
  readonly sample: Sample | undefined
}

export interface Sample {
  readonly share: number
  readonly seed: string
}

/** @throws Error for anything but `PATH… [--near | --tests GLOB…] [--sample SHARE [--seed TEXT]]` */
export function parseMutationArguments(args: readonly string[]): MutationArguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      tests: { type: 'string', multiple: true },
      near: { type: 'boolean', default: false },
      sample: { type: 'string' },
      seed: { type: 'string', default: '1' },
    },
  })
  if (positionals.length === 0) throw new Error('name the folders or files to mutate, for example src/policy')
  return {
    paths: positionals.map((path) => path.replace(/\/+$/, '')),
    tests: values.near ? [] : values.tests,
    sample: values.sample === undefined ? undefined : { share: readShare(values.sample), seed: values.seed },
  }
}

function readShare(text: string): number {
  const share = Number(text)
  if (!(share > 0 && share <= 1)) throw new Error('--sample is a share above 0, 1 at most')
  return share
}

/** File systems take names of 255 bytes. */
const MAX_NAME = 200

/** What the file with the results is called: by the paths, or by some of them and a digest of all. */
export function nameResult(paths: readonly string[]): string {
  const name = paths.join('+').replaceAll('/', '-')
  if (name.length <= MAX_NAME) return name
  return `${name.slice(0, MAX_NAME)}-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`
}
