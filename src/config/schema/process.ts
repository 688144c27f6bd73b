import { z } from 'zod'
import { findSecretFileMistake, findVariableMistake } from '../format/formats.ts'
import { splitCommand } from '../format/split-command.ts'
import type { Mistake } from '../problem/problem.ts'
import { text, toIssue, whole } from './values.ts'

/** What no program can be given. */
function findArgumentMistake(value: string): Mistake | undefined {
  if (!value.includes('\0')) return undefined
  return { reason: 'has a character that no program can be given (U+0000)', fix: 'Remove it.' }
}

const words = z.array(text(findArgumentMistake)).min(1)

/** A command; a string is split into words. */
const command = z
  .pipe(
    z.transform((value: string | string[], context) => {
      if (typeof value !== 'string') return value
      const split = splitCommand(value)
      if (!('reason' in split)) return [...split]
      context.issues.push({ ...toIssue(split), input: value })
      return z.NEVER
    }),
    words,
  )
  .meta({ shorthand: 'Split into words as a shell would, without running one.' })

const environmentValue = z
  .strictObject({
    env: text(findVariableMistake)
      .optional()
      .describe('Name of the environment variable of the proxy that holds it; one final line break is left out.'),
    file: text(findSecretFileMistake)
      .optional()
      .describe('File that holds it and nothing else; one final line break is left out.'),
    text: text(findArgumentMistake).optional().describe('The value itself, if it is not a secret.'),
  })
  .refine(({ env, file, text: plain }) => [env, file, plain].filter((source) => source !== undefined).length === 1, {
    error: 'needs one of `env`, `file` and `text`',
    params: { fix: 'Name where the value is found (`env` or `file`), or write it down (`text`) if it is not a secret.' },
  })
  .meta({ id: 'EnvironmentValue', description: 'The value of an environment variable.' })

type EnvironmentInput = string | number | boolean | z.input<typeof environmentValue>

const environmentValueOrText = z
  .pipe(
    z.transform((value: EnvironmentInput) => (typeof value === 'object' ? value : { text: String(value) })),
    environmentValue,
  )
  .meta({ shorthand: 'text' })

/** Variables by name; a list holds `NAME=value`, or a `NAME` to be passed on. */
const environment = z
  .pipe(
    z.transform((value: readonly unknown[] | Record<string, EnvironmentInput>) =>
      Array.isArray(value) ? Object.fromEntries(value.map(readAssignment)) : value,
    ),
    z.record(z.string(), environmentValueOrText),
  )
  .meta({ listed: '`NAME=value`, or a `NAME` to be passed on from the proxy.' })

function readAssignment(entry: unknown, index: number): [string, EnvironmentInput] {
  // `null` stands for what has no text, and is a mistake at its place in the list.
  if (entry === undefined || entry === null || typeof entry === 'object') return [String(index), null as never]
  const line = String(entry)
  const equals = line.indexOf('=')
  return equals < 0 ? [line, { env: line }] : [line.slice(0, equals), { text: line.slice(equals + 1) }]
}

/** Keys of an upstream that is a process of ours. */
export const processShape = {
  command: command
    .optional()
    .describe('Instead of `url`: the program to start, which speaks MCP over its standard streams, with its arguments.'),
  args: z.array(text(findArgumentMistake)).optional().describe('Further arguments of `command`.'),
  work_dir: z.string().min(1).optional().describe('Working directory of the process. By default that of the proxy.'),
  env: environment
    .optional()
    .describe(
      'Environment variables of the process, by name or as a list of `NAME=value`, besides `PATH`, `HOME`, `LANG`, `TMPDIR` and a few more. It gets no others of the proxy.',
    ),
  process_per: z
    .enum(['session', 'shared'])
    .optional()
    .describe(
      '`session` (default): users never share a process, and each MCP session has its own. `shared`: one process for all, only for stateless servers.',
    ),
  max_processes: whole(1, 10_000)
    .optional()
    .describe(
      'Most processes at a time, of which one user has a quarter at most. Idle ones make room; where all are at work, clients are told to come back. 50 by default.',
    ),
  idle_seconds: z
    .number()
    .min(1)
    .max(86_400)
    .optional()
    .describe('Seconds after which an idle process is ended. 1800 by default.'),
  start_timeout_seconds: z
    .number()
    .min(0.1)
    .max(3600)
    .optional()
    .describe('Seconds that a process gets to answer its first request. 60 by default.'),
  request_timeout_seconds: z
    .number()
    .min(1)
    .max(86_400)
    .optional()
    .describe('Seconds that a request may go without an answer. Progress begins them anew. 1800 by default.'),
  max_message_bytes: whole(1024, 512 * 1024 * 1024)
    .optional()
    .describe('Longest message of the process, in bytes. 16777216 by default.'),
}

/** Keys that mean something beside `command` only. */
export const PROCESS_KEYS = Object.keys(processShape).filter((key) => key !== 'command') as Exclude<
  keyof typeof processShape,
  'command'
>[]
