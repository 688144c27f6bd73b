import { omitTokens } from '../core/omit-tokens.ts'

/** Longest text of an authorization server that is logged. */
const MAX_TEXT = 300

/** An authorization server refuses to issue a token (RFC 6749 §5.2). */
export class TokenRefusal extends Error {
  override readonly name = 'TokenRefusal'
  /** `error`, as it stands there. */
  readonly error: string
  /** What Entra ID says more exactly. */
  readonly suberror: string | undefined

  private constructor(error: string, suberror: string | undefined, description: string | undefined) {
    super([error, suberror, description].filter((part) => part !== undefined).join(': '))
    this.error = error
    this.suberror = suberror
  }

  /** @returns undefined where the document is no error */
  static read(document: Readonly<Record<string, unknown>>): TokenRefusal | undefined {
    const { error, suberror, error_description: description } = document
    if (typeof error !== 'string' || error === '') return undefined
    return new TokenRefusal(cut(error), typeof suberror === 'string' ? cut(suberror) : undefined, describe(description))
  }
}

function describe(description: unknown): string | undefined {
  return typeof description === 'string' && description !== '' ? cut(description) : undefined
}

function cut(text: string): string {
  return omitTokens(text)
    .replace(/[^\x20-\x7e\u00a1-\ud7ff]/g, ' ')
    .slice(0, MAX_TEXT)
}
