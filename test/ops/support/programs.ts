import { spawnSync } from 'node:child_process'

/** Whether a program is installed. Under CI nothing may be skipped. */
export function hasProgram(name: string, versionFlag: string): boolean {
  if (spawnSync(name, [versionFlag]).status === 0) return true
  if (process.env.CI) throw new Error(`${name} is missing`)
  console.warn(`skipped: ${name} is not installed`)
  return false
}
