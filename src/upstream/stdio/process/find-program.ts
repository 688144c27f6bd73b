import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import type { StdioUpstreamPlan } from '../../../core/plan/upstream-plan.ts'
import { createChildEnvironment } from './environment.ts'

/**
 * Explains why a command can't be started (no such program, no such directory), before a request needs it. Undefined when no reason is known.
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
