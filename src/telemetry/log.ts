import pino, { type DestinationStream, type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { LogPlan } from '../core/plan.ts'

/** Bytes that are collected before they are written. A line waits for at most {@link flushMilliseconds}. */
const bufferBytes = 8 * 1024
const flushMilliseconds = 250

/** The log of the process, and how to get its last lines out. */
export interface Log {
  readonly logger: Logger
  /** Writes what is still collected. */
  flush(): void
}

/**
 * One line an event, JSON for machines or pretty for people.
 *
 * @param plan - level and format
 * @param destination - where lines go instead of standard output, for tests and embedding
 */
export function createLog(plan: LogPlan, destination?: DestinationStream): Log {
  const options = {
    level: plan.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
  }
  if (destination) return { logger: pino(options, destination), flush: () => undefined }
  if (plan.format === 'pretty')
    return {
      logger: pino(options, pretty({ colorize: process.stdout.isTTY === true, ignore: 'hostname,pid' })),
      flush: () => undefined,
    }
  return createBufferedLog(options)
}

/** A write for every line would cost more than making it. */
function createBufferedLog(options: pino.LoggerOptions): Log {
  const destination = pino.destination({ dest: 1, minLength: bufferBytes, sync: false })
  const timer = setInterval(() => destination.flush(), flushMilliseconds)
  timer.unref()
  return {
    logger: pino(options, destination),
    flush() {
      clearInterval(timer)
      destination.flushSync()
    },
  }
}
