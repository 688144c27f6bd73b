import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import type { StdioUpstreamPlan } from '../../../core/plan/upstream-plan.ts'
import { createChildEnvironment } from './environment.ts'

/**
 * Says why a command could not be started, before anybody waits for it: no such program, no such directory. Undefined when nothing is
 * known against it.
 */
export function findProgramProblem({ command, workDir, env }: StdioUpstreamPlan): string | undefined {
  const [program = ''] = command
  if (workDir !== undefined && !isDirectory(workDir)) return `the working directory ${JSON.stringify(workDir)} does not exist`
  if (process.platform === 'win32') return undefined
  const places = program.includes('/')
    ? [resolve(workDir ?? '.', program)]
    : listPlaces(program, createChildEnvironment(env).PATH)
  if (places.some(isProgram)) return undefined
  return `the command ${JSON.stringify(program)} ${program.includes('/') ? 'is no program' : 'is not found on PATH'}`
}

function listPlaces(program: string, path = ''): string[] {
  return path.split(delimiter).map((folder) => (isAbsolute(folder) ? join(folder, program) : resolve(folder, program)))
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
