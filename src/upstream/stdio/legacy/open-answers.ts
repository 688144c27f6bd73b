import type { EventStream } from '../stream/event-stream.ts'
import type { PostAnswer } from '../stream/post-response.ts'

/** The answers of an MCP session that are not complete. */
export class OpenAnswers {
  readonly #answers = new Set<PostAnswer>()

  get size(): number {
    return this.#answers.size
  }

  add(answer: PostAnswer): void {
    this.#answers.add(answer)
  }

  delete(answer: PostAnswer): void {
    this.#answers.delete(answer)
  }

  /** Has to be called when a client has resumed a stream. */
  resumed(stream: EventStream): void {
    for (const answer of this.#answers) if (answer.stream === stream) answer.resumed()
  }

  /** The newest answer that can carry a message now. */
  findAttached(): PostAnswer | undefined {
    return this.#findNewest((answer) => answer.canStream && answer.isAttached)
  }

  /** The newest answer that can carry a message, now or when its client has come back. */
  findStreamable(): PostAnswer | undefined {
    return this.#findNewest((answer) => answer.canStream)
  }

  keepAlive(): void {
    for (const answer of this.#answers) answer.stream?.keepAlive()
  }

  #findNewest(test: (answer: PostAnswer) => boolean): PostAnswer | undefined {
    return [...this.#answers].findLast(test)
  }
}
