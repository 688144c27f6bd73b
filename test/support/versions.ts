import { join, resolve } from 'node:path'

const { FIRST_VERSION, SECOND_VERSION } = process.env
const own = resolve(import.meta.dirname, '../..')

/**
 * The command line that each of two processes side by side runs: of this checkout, or of the one that `FIRST_VERSION` or `SECOND_VERSION`
 * names. So the tests of replicas show whether two versions understand each other during an upgrade.
 */
export const PROGRAMS: readonly [string, string] = [locate(FIRST_VERSION), locate(SECOND_VERSION)]

function locate(checkout = own): string {
  return join(resolve(checkout), 'src/cli/main.ts')
}
