/** A challenge of `WWW-Authenticate` (RFC 9110 §11.6.1). */
export interface ReceivedChallenge {
  /** In lower case. */
  readonly scheme: string
  /** By name in lower case. Of a parameter that comes twice, the first counts. */
  readonly parameters: ReadonlyMap<string, string>
}

/** Longer ones are not read. */
const MAX_CHARACTERS = 8192
/** A scheme, or a parameter with its value: a quoted string or a token (RFC 9110 §11.2). */
const PART = /[\s,]*([\w!#$%&'*+.^`|~-]+)(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y

/**
 * Reads the challenge for bearer tokens.
 *
 * @param value - of the header; several fields are joined with commas
 * @returns undefined where there is none
 */
export function findBearerChallenge(value: string | undefined): ReceivedChallenge | undefined {
  return readChallenges(value ?? '').find(({ scheme }) => scheme === 'bearer')
}

function readChallenges(value: string): readonly ReceivedChallenge[] {
  const challenges: { readonly scheme: string; readonly parameters: Map<string, string> }[] = []
  if (value.length > MAX_CHARACTERS) return challenges
  PART.lastIndex = 0
  for (let part = PART.exec(value); part !== null; part = PART.exec(value)) {
    const [, name = '', quoted, token] = part
    const text = quoted?.replace(/\\(.)/g, '$1') ?? token
    if (text === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() })
    else addParameter(challenges.at(-1)?.parameters, name.toLowerCase(), text)
  }
  return challenges
}

function addParameter(parameters: Map<string, string> | undefined, name: string, value: string): void {
  if (parameters !== undefined && !parameters.has(name)) parameters.set(name, value)
}
