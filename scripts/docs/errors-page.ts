import { listErrors } from '../../src/core/list-errors.ts'

/** `docs/errors.md`: the error catalogue. */
export function formatErrorsPage(): string {
  const errors = listErrors()
  const reasons = errors.flatMap(({ code, reasons }) =>
    reasons.map(({ reason, meaning }) => `| \`${code}\` | \`${reason}\` | ${meaning} |`),
  )
  const rows = errors.map(({ code, status, challengeError, jsonRpcCode, message, remedy }) => {
    const challenge = challengeError === undefined ? '–' : `\`${challengeError}\``
    return `| \`${code}\` | ${status} | ${challenge} | ${jsonRpcCode} | ${message} | ${remedy} |`
  })
  return [
    '<!-- Made from src/core/error-catalogue/ by `npm run docs`. Do not edit. -->',
    '# Errors',
    '',
    'Every way in which the proxy refuses a request. The code is in the log line of the request as `code`; it does not change between versions.',
    'Clients get the HTTP status, the challenge where there is one, and (for a JSON-RPC request) an error object with the code and the message below.',
    'Why a single request was refused is only logged: as `reason` (see below), and in words as `cause`.',
    '',
    '- **challenge**: `error` of the `WWW-Authenticate` header (RFC 6750 §3.1). A request without a token gets a challenge without an `error`.',
    '- **JSON-RPC**: the code that JSON-RPC or MCP defines for this, else -31000 minus the HTTP status, which lies outside of what JSON-RPC reserves.',
    '',
    '| code | HTTP | challenge | JSON-RPC | message | what to do |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    '## Reasons',
    '',
    'Several things can be behind some of the codes. For these codes, the log line also has a `reason`, which does not change between versions: alert on it, not on the words of `cause`.',
    '',
    '| code | reason | means |',
    '|---|---|---|',
    ...reasons,
    '',
    '`open-mcp-auth-proxy errors` prints the same. Exit codes of the command line are in [configuration.md](configuration.md#exit-codes).',
    '',
  ].join('\n')
}
