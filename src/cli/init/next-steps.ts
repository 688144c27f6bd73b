import { BROKER_PATHS } from '../../core/broker-paths.ts'
import { WIDTH, wrap } from '../wrap.ts'
import type { Answers } from './answers.ts'
import { BROKER_KEY, formatClientUrl, hasBroker, nameSecret, PLACEHOLDER } from './config-text.ts'

const INDENT = '   '

/** The two next steps: what to register, and how to start. */
export function formatNextSteps(answers: Answers, file: string): string[] {
  return [
    '',
    `1. ${hasBroker(answers) ? `Make the proxy known at the identity provider (${answers.provider.name}):` : 'At the authorization server:'}`,
    ...(hasBroker(answers) ? listRegistration(answers, file) : listIssuerWork(answers))
      .flatMap((line) => wrap(line, WIDTH - INDENT.length))
      .map((line) => `${INDENT}${line}`),
    '',
    '2. Start it, and check that it works:',
    ...listStart(answers, file).map((line) => `${INDENT}${line}`),
    '',
    `Give clients ${formatClientUrl(answers)}`,
  ]
}

function listRegistration({ provider, publicUrl, clientId }: Answers, file: string): string[] {
  const told = clientId === undefined ? [`In ${file}, write the client id in place of ${PLACEHOLDER}.`] : []
  return [...provider.register(`${publicUrl}${BROKER_PATHS.callback}`), ...told]
}

function listIssuerWork(answers: Answers): string[] {
  const { scopes } = answers
  return [
    `Have it issue access tokens for ${formatClientUrl(answers)} (their \`aud\`), and let clients register there.`,
    ...(scopes.length > 0 ? [`It has to know the scopes ${scopes.join(', ')}.`] : []),
  ]
}

function listStart(answers: Answers, file: string): string[] {
  const secrets = [`export ${nameSecret(answers)}=…`, `export ${BROKER_KEY}="$(openssl rand -base64 32)" # once; keep it`]
  return [...(hasBroker(answers) ? secrets : []), `open-mcp-auth-proxy --config ${file}`, `open-mcp-auth-proxy doctor ${file}`]
}
