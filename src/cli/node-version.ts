import { readFileSync } from 'node:fs'

/**
 * Older Nodes lack what our dependencies import, and would end with an error that names a module instead of the reason.
 *
 * @param running - version of Node, without a leading `v`
 * @returns what is wrong and what to do; undefined when this Node will do
 */
export function findNodeTrouble(running: string): string | undefined {
  const needed = readNeededVersion()
  if (!isOlder(running, needed)) return undefined
  return `This is Node.js ${running}, and Node.js ${needed} or later is needed. Install a newer one, see https://nodejs.org.`
}

/** What `engines` of our package.json asks for. It lies two folders up, in the repository (src/cli) as in the package (dist/cli). */
function readNeededVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { engines } = JSON.parse(text) as { engines: { node: string } }
  return engines.node.replace(/^>=/, '')
}

function isOlder(running: string, needed: string): boolean {
  const [major = 0, minor = 0] = running.split('.').map(Number)
  const [neededMajor = 0, neededMinor = 0] = needed.split('.').map(Number)
  return major < neededMajor || (major === neededMajor && minor < neededMinor)
}
