import { existsSync, globSync, statSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LogLevel, MutantResult, PartialStrykerOptions } from '@stryker-mutator/api/core'
import { Stryker } from '@stryker-mutator/core'
import type { MutationArguments } from './arguments.ts'
import { suites } from './suites.ts'

/**
 * Judges each mutant by the tests beside the source first, and those that live on by the slower ones.
 * Stryker works in a copy below `.cache`; the sources here stay as they are.
 */
export async function judgeMutants({ paths, tests, sample }: MutationArguments): Promise<readonly MutantResult[]> {
  const near = paths.map((path) => `${folderOf(path)}/*.test.ts`)
  const far = tests ?? [...new Set(paths.flatMap((path) => suites[folderOf(path)] ?? []))]
  const all = { mutate: paths.map(formatPattern), ...(sample !== undefined && { sample }) }
  const first = await runRound(all, globSync(near).length > 0 ? near : far)
  const alive = first.filter(isAlive)
  if (globSync(near).length === 0 || alive.length === 0 || globSync([...far]).length === 0) return first
  const second = await runRound({ mutate: alive.map(formatRange) }, far)
  return mergeRounds(first, second)
}

/** Whether a mutant was tried, and no test noticed. */
export function isAlive({ status }: MutantResult): boolean {
  return status === 'Survived' || status === 'NoCoverage'
}

async function runRound(options: PartialStrykerOptions, tests: readonly string[]): Promise<readonly MutantResult[]> {
  process.env.MUTATION_TESTS = JSON.stringify(tests)
  return await new Stryker({
    ...options,
    mutate: [...(options.mutate ?? []), '!**/*.test.ts'],
    testRunner: 'vitest',
    vitest: { configFile: fileURLToPath(new URL('vitest.config.ts', import.meta.url)) },
    plugins: ['@stryker-mutator/vitest-runner', fileURLToPath(new URL('plugins.ts', import.meta.url))],
    ignorers: ['prose', 'sample'],
    coverageAnalysis: 'perTest',
    concurrency: 1,
    timeoutMS: 4000,
    timeoutFactor: 1.2,
    dryRunTimeoutMinutes: 15,
    reporters: process.stdout.isTTY ? ['progress'] : [],
    logLevel: 'error' as LogLevel,
    warnings: false,
    allowConsoleColors: process.stdout.isTTY === true,
    // TypeScript 7 has no API in JavaScript, which Stryker would read tsconfig.json with; nothing here needs that.
    tsconfigFile: 'absent.json',
    tempDirName: '.cache/mutation/sandbox',
    ignorePatterns: ['.cache', 'dist'],
    cleanTempDir: 'always',
  }).runMutationTest()
}

function folderOf(path: string): string {
  return isFile(path) ? dirname(path) : path
}

function formatPattern(path: string): string {
  return isFile(path) ? path : `${path}/**/*.ts`
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile()
}

/** Stryker counts columns of ranges from 0, and those of results from 1. */
function formatRange({ fileName, location: { start, end } }: MutantResult): string {
  return `${relative('.', fileName)}:${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`
}

function mergeRounds(first: readonly MutantResult[], second: readonly MutantResult[]): readonly MutantResult[] {
  const judged = new Map(second.map((mutant) => [formatKey(mutant), mutant]))
  return first.map((mutant) => (isAlive(mutant) ? (judged.get(formatKey(mutant)) ?? mutant) : mutant))
}

function formatKey({ fileName, location, mutatorName, replacement }: MutantResult): string {
  return JSON.stringify([relative('.', fileName), location, mutatorName, replacement])
}
