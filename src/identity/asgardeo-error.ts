/** What an answer of Asgardeo's management interfaces comes down to. */
export type AsgardeoErrorKind =
  /** The admin client is not who it says. */
  | 'credentials'
  /** The admin client may not do this. */
  | 'permission'
  /** There is no such thing. */
  | 'missing'
  /** The name is taken. */
  | 'conflict'
  /** The request is not one that it accepts. */
  | 'refused'
  /** It cannot be reached, or its answer is unusable. */
  | 'unavailable'

/** Why Asgardeo did not do what it was asked to. The message is for the operator's log and holds no secrets. */
export class AsgardeoError extends Error {
  readonly kind: AsgardeoErrorKind

  constructor(kind: AsgardeoErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'AsgardeoError'
    this.kind = kind
  }
}

/** Whether something went wrong at Asgardeo in one of these ways. */
export function isAsgardeoError(error: unknown, ...kinds: readonly AsgardeoErrorKind[]): error is AsgardeoError {
  return error instanceof AsgardeoError && kinds.includes(error.kind)
}

/** A foreign text within a message: short, on one line, and without what must not stand in a log. */
export function quoteUntrusted(text: string, secrets: readonly string[] = []): string {
  const clean = secrets.reduce((rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '[secret]')), text)
  return JSON.stringify(clean.slice(0, 200))
}
