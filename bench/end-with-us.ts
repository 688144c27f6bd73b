import type { ChildProcess } from 'node:child_process'

/** A bench that is ended early leaves nothing running: programs of others don't notice by themselves. */
export function endWithUs(running: ChildProcess): void {
  const end = (): void => void running.kill('SIGKILL')
  const leave = (): never => process.exit(1)
  process.once('exit', end).once('SIGINT', leave).once('SIGTERM', leave)
  running.once('exit', () => process.off('exit', end).off('SIGINT', leave).off('SIGTERM', leave))
}
