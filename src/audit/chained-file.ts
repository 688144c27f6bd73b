import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import type { AuditFile } from './audit-file.ts'
import type { Chain, CheckpointReason } from './chain.ts'

export interface ChainedFileOptions {
  readonly file: AuditFile
  /** Makes the chain when the file is open, which says where it goes on; undefined for none. */
  readonly openChain: (() => Promise<Chain>) | undefined
  /** Milliseconds after which records have a signature at the latest. */
  readonly checkpointMs: number
  readonly clock: Clock
  /** Called with each checkpoint: a copy that lies elsewhere shows whether the end of the file was cut off. */
  readonly onCheckpoint: (chain: Chain) => void
}

/** How long a disk that takes nothing is left alone. */
const PAUSE_MS = 100

/** The file of the audit log with the chain over it. Its methods throw the errors of the file system, and go on where they broke off. */
export class ChainedFile {
  readonly #options: ChainedFileOptions
  #chain: Chain | undefined
  #isOpen = false
  /** Of lines that were linked already: what broke off goes on where it ended, in the same file. */
  #rest: Buffer = Buffer.alloc(0)
  #isTorn = false
  #signedAt: number

  constructor(options: ChainedFileOptions) {
    this.#options = options
    this.#signedAt = options.clock.monotonic()
  }

  /** Whether lines that were linked wait for the disk. */
  get holdsBack(): boolean {
    return this.#rest.length > 0
  }

  /** Opens, rotates and signs, where it is time for that. */
  async prepare(): Promise<void> {
    if (this.#isTorn) return this.#append([])
    if (!this.#isOpen) await this.#open()
    await this.#keepUp()
  }

  /** Like `prepare`, and sees whether the file is still at its path. */
  async inspect(): Promise<void> {
    const { file } = this.#options
    if (this.#isTorn) return this.#append([])
    await this.#open()
    if (await file.wasMoved()) await this.#begin('moved', file.close)
    await this.#keepUp()
  }

  async write(lines: readonly string[]): Promise<void> {
    const { file } = this.#options
    const chain = this.#chain
    await this.#append(chain === undefined ? lines : lines.map((line) => chain.link(line)))
    if (file.isDue()) await this.#begin('rotated', file.setAside)
  }

  async end(): Promise<void> {
    if (this.#isOpen) await this.#sign('closed')
  }

  /** The lock of the file is renewed also where it is open already. */
  async #open(): Promise<void> {
    const { file, openChain } = this.#options
    await file.open()
    if (this.#isOpen) return
    this.#chain ??= await openChain?.()
    await this.#sign('opened')
    this.#isOpen = true
  }

  async #keepUp(): Promise<void> {
    const { file, clock, checkpointMs } = this.#options
    if (file.isDue()) await this.#begin('rotated', file.setAside)
    if (this.#chain?.isOpen === true && clock.monotonic() - this.#signedAt >= checkpointMs) await this.#sign('interval')
  }

  /** Begins another file. @param leave - what becomes of this one */
  async #begin(reason: CheckpointReason, leave: () => Promise<void>): Promise<void> {
    await this.#sign(reason)
    this.#isOpen = false
    await leave()
    await this.#open()
  }

  async #sign(reason: CheckpointReason): Promise<void> {
    const { clock, onCheckpoint } = this.#options
    if (this.#chain === undefined) return
    this.#signedAt = clock.monotonic()
    await this.#append([this.#chain.sign(reason, clock.wall())])
    onCheckpoint(this.#chain)
  }

  async #append(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) this.#rest = Buffer.concat([this.#rest, Buffer.from(`${lines.join('\n')}\n`)])
    while (this.#rest.length > 0) {
      const written = await this.#options.file.append(this.#rest)
      this.#isTorn = written < this.#rest.length
      this.#rest = this.#rest.subarray(written)
      if (written === 0) await pause(PAUSE_MS)
    }
  }
}
