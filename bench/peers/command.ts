import { fileURLToPath } from 'node:url'
import { path, publicHost, scopesOfTools } from '../plan.ts'
import type { PeerKind, PeerSetting } from './peer.ts'

/** The proxy as users install it: the bundled command with a configuration file. Nothing that measures runs in its process. */
export const command: PeerKind = {
  name: 'proxy, the command',
  program: 'node',
  verifies: true,
  files: (setting) => ({ 'config.json': JSON.stringify(createConfig(setting)) }),
  format: (folder) => [
    fileURLToPath(new URL('../../dist/command/main.js', import.meta.url)),
    '--log-format=json',
    `--config=${folder}/config.json`,
  ],
}

/** As `createBenchPlan` has it. */
function createConfig({ port, upstreamPort, issuer }: PeerSetting): object {
  return {
    public_url: `https://${publicHost}`,
    listen: { host: '127.0.0.1', port },
    issuers: [issuer],
    servers: [
      {
        path,
        upstream: `http://127.0.0.1:${upstreamPort}${path}`,
        scopes: ['mcp'],
        scope_hierarchy: { admin: ['files:read', 'files:write'] },
        rules: Object.entries(scopesOfTools).map(([tool, scope]) => ({ tool, scopes: [scope] })),
      },
    ],
  }
}
