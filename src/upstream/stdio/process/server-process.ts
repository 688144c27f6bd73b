import type { Clock } from '../../../core/clock.ts'
import type { Waiting } from '../../../http/idle-watch.ts'
import type { ChildMessage } from '../wire/child-messages.ts'
import type { Spare } from './places.ts'
import type { ProcessOwner } from './process-owner.ts'

/** A running MCP server that reads and writes JSON lines. */
export interface ServerProcess {
  /** Whether it has ended or is about to. */
  readonly isOver: boolean
  /**
   * Sends one message.
   *
   * @param message - on one line
   * @throws ProxyError `upstream_ended`; `upstream_busy` when the process has stopped reading and enough is waiting for it
   */
  write(message: string): void
  /** Stops reading what the process writes, until as many calls of {@link resume}. */
  pause(): void
  resume(): void
  /** Ends the process. Resolves when it is gone. */
  end(): Promise<void>
  /** The same for one that can't do what it was started for: the next start is delayed as after one that ended by itself. */
  giveUp(): Promise<void>
}

/** Receives what a process sends, and its end. */
export interface ProcessHandlers {
  message(message: ChildMessage): void
  /** Called with the id of a response that can't be passed on. */
  broken(id: string | number, reason: string): void
  /** Called once, last of all, when the process is gone. */
  ended(end: ProcessEnd): void
}

export interface ProcessEnd {
  /** Whether we ended it. */
  readonly expected: boolean
  /** Whether it did what it was started for, as far as we know. */
  readonly wasUsable: boolean
  /** For the operator: what happened, with the command and the last lines of its standard error. */
  readonly reason: Error & { code?: string }
}

/** Starts the processes of one MCP server. */
export interface ProcessSource {
  readonly clock: Clock
  /** Seconds that a request may go without a response or progress. */
  readonly requestSeconds: number
  /**
   * Starts a process.
   *
   * @param owner - whom it is for; failures delay the next start on the same account only
   * @throws ProxyError `upstream_busy` with the time after which another try makes sense
   */
  start(owner: ProcessOwner, handlers: ProcessHandlers): Promise<ServerProcess>
  /** Calls `onIdle` once when a request was not touched for {@link requestSeconds}. */
  watchRequest(onIdle: () => void): Waiting
  /** Tells the operator of a process that did not answer its first request in time. */
  reportSilence(): void
  /** @param list - called when all places are taken: processes that may end so that another can start */
  onFull(list: () => readonly Spare[]): void
}
