import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { findProgram } from './programs.ts'

/** Counts what a process executes, in user mode and in the kernel, from `enable` to `disable`. */
export interface InstructionCounter {
  enable(): Promise<void>
  disable(): Promise<void>
  /** Ends the counter. Undefined when the machine doesn't let anybody count. */
  stop(): Promise<number | undefined>
}

const startDeadline = 2000

/**
 * Attaches a counter to a process, where `perf` is installed. Unlike processor time, the number of instructions hardly depends on what
 * else the machine does.
 */
export async function startInstructionCounter(pid: number): Promise<InstructionCounter | undefined> {
  const perf = findProgram('perf')
  if (perf === undefined) return undefined
  const args = ['stat', '-x,', '-e', 'instructions:u,instructions:k', '-D', '-1', '--control', 'fd:3,4', '-p', String(pid)]
  const counting = spawn(perf, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] })
  let report = ''
  counting.stderr?.on('data', (text: Buffer) => {
    report += text.toString()
  })
  const ended = once(counting, 'exit')
  const command = async (word: string): Promise<void> => {
    const stream = counting.stdio[3] as Writable
    stream.on('error', () => {})
    stream.write(`${word}\n`)
    // Whoever cannot count has said so and is gone.
    await Promise.race([once(counting.stdio[4] as Readable, 'data'), ended, pause(startDeadline)])
  }
  return {
    enable: () => command('enable'),
    disable: () => command('disable'),
    async stop() {
      counting.kill('SIGINT')
      await ended
      return sumCounts(report)
    },
  }
}

function sumCounts(report: string): number | undefined {
  const counts = report.split('\n').filter((line) => line.includes(',instructions'))
  const sum = counts.reduce((total, line) => total + Number(line.split(',')[0]), 0)
  return sum > 0 ? sum : undefined
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
