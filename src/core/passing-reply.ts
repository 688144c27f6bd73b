import type { ProxyError } from './errors.ts'
import type { Reply, ReplyHeaders } from './reply.ts'

/** A Reply that passes everything on to another one; what it does besides is in its subclasses. A class, since thousands of streams may wait in one of these each. */
export class PassingReply implements Reply {
  protected readonly reply: Reply

  constructor(reply: Reply) {
    this.reply = reply
  }

  start(status: number, headers: ReplyHeaders): void {
    this.reply.start(status, headers)
  }

  write(chunk: Uint8Array, release?: () => void): boolean {
    return this.reply.write(chunk, release)
  }

  end(): void {
    this.reply.end()
  }

  fail(error: ProxyError): void {
    this.reply.fail(error)
  }

  report(error: ProxyError): void {
    this.reply.report(error)
  }

  onDrain(listener: () => void): void {
    this.reply.onDrain(listener)
  }

  onDone(listener: () => void): void {
    this.reply.onDone(listener)
  }

  onClose(listener: () => void): void {
    this.reply.onClose(listener)
  }
}
