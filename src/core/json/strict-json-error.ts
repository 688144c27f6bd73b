/** Why a text was refused. `syntax`: not JSON. `ambiguous`: JSON that decoders read differently. */
export class StrictJsonError extends Error {
  readonly kind: 'syntax' | 'ambiguous'

  /** @param kind - see the class; @param what - what is wrong; @param position - index of the character */
  constructor(kind: 'syntax' | 'ambiguous', what: string, position: number) {
    super(`${what} at position ${position}`)
    this.name = 'StrictJsonError'
    this.kind = kind
  }
}
