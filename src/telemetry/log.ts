import { createRequire } from 'node:module'
import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino'
import type * as PinoPretty from 'pino-pretty'
import type { LogPlan } from '../core/plan/plan.ts'
import { createLogOutput } from './log-output.ts'

/** File descriptor. */
const STANDARD_OUTPUT = 1

/**
 * Control characters beyond ASCII's first, line separators, and what turns the direction of writing: JSON leaves them as they are,
 * terminals and viewers obey them. Strangers choose parts of lines (`Origin`, the `kid` of a token).
 */
const OBEYED = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** The log of the process, and how to get its last lines out. */
export interface Log {
  readonly logger: Logger
  /** Takes a finished line of JSON, with its line end; undefined where lines are made pretty and need the logger. */
  readonly writeLine: ((line: string) => void) | undefined
  /** Flushes the buffer. */
  end(): Promise<void>
  /** Bytes of lines that could not be written. */
  lostBytes(): number
}

/**
 * One line an event, JSON for machines or pretty for people.
 *
 * @param plan - level and format
 * @param destination - where lines go instead of standard output, for tests and embedding
 */
export function createLog(plan: LogPlan, destination?: DestinationStream): Log {
  const options: LoggerOptions = {
    level: plan.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
  }
  if (plan.format === 'pretty') return createPrettyLog(options, destination)
  return destination ? createPlainLog(options, destination) : createBufferedLog(options)
}

function createPrettyLog(options: LoggerOptions, destination: DestinationStream & { isTTY?: boolean } = process.stdout): Log {
  const colorize = destination.isTTY === true && process.env.NO_COLOR === undefined
  // Loaded lazily: a log for machines does without its thirty modules.
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof PinoPretty
  const format = prettyFactory({ colorize, singleLine: true })
  return {
    logger: pino(options, { write: (line) => destination.write(escapeControlCharacters(format(line))) }),
    writeLine: undefined,
    end: async () => undefined,
    lostBytes: () => 0,
  }
}

function createPlainLog(options: LoggerOptions, destination: DestinationStream): Log {
  const write = (line: string): void => destination.write(escapeControlCharacters(line))
  return { logger: pino(options, { write }), writeLine: write, end: async () => undefined, lostBytes: () => 0 }
}

/** Most pieces are ASCII, which is told faster by their length than by looking for what isn't. */
function encodePiece(text: string): Buffer {
  const bytes = Buffer.from(text)
  return bytes.length === text.length && !bytes.includes(0x7f) ? bytes : Buffer.from(escapeControlCharacters(text))
}

/** They stand inside of strings only, where JSON has the same escape. */
function escapeControlCharacters(line: string): string {
  return line.replace(OBEYED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function createBufferedLog(options: LoggerOptions): Log {
  const { write, end, lostBytes } = createLogOutput(STANDARD_OUTPUT, encodePiece)
  return { logger: pino(options, { write }), writeLine: write, end, lostBytes }
}
