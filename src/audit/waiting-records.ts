/** Records that wait for the disk, in their order. */
export class WaitingRecords {
  #lines: string[] = []
  #length = 0

  /** Characters of all of them. */
  get length(): number {
    return this.#length
  }

  /** @param line - a record, without its line end */
  add(line: string): void {
    this.#lines.push(line)
    this.#length += line.length
  }

  /** Takes the first ones until they have that many characters: one at least, if there is one. */
  take(length: number): string[] {
    let count = 0
    let taken = 0
    while (count < this.#lines.length && (count === 0 || taken < length)) {
      taken += this.#lines[count]?.length ?? 0
      count += 1
    }
    this.#length -= taken
    return this.#lines.splice(0, count)
  }
}
