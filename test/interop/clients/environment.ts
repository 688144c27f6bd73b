// What a client finds around it: a home of its own, a browser with a person, and the proxy before an MCP server.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { SAMPLE_USERS } from '../../../src/sandbox/users.ts'
import { type BrokerStage, type BrokerStageOptions, startBrokerStage } from '../../support/broker-stage.ts'
import { type Person, startPerson } from './person.ts'

export interface Environment {
  readonly stage: BrokerStage
  readonly person: Person
  /** The client's home, and where it runs. */
  readonly folder: string
  /** The whole environment of its processes. */
  readonly env: Readonly<Record<string, string>>
  onClose(end: () => unknown): void
  close(): Promise<void>
}

/** Bob is signed in, who may grant everything. */
export async function createEnvironment(options: BrokerStageOptions = {}): Promise<Environment> {
  const stage = await startBrokerStage(options)
  const person = await startPerson(SAMPLE_USERS[1])
  const folder = mkdtempSync(join(tmpdir(), 'client-'))
  const ends: (() => unknown)[] = [
    () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
    person.close,
    stage.close,
  ]
  return {
    stage,
    person,
    folder,
    env: {
      PATH: [person.folder, dirname(process.execPath), process.env.PATH].join(delimiter),
      HOME: folder,
      BROWSER: person.browser,
      // Where there is one, a browser of the system is taken before this one.
      DISPLAY: '',
      NO_COLOR: '1',
      // Nothing is fetched by a client that would like to.
      npm_config_offline: 'true',
    },
    onClose: (end) => void ends.unshift(end),
    async close() {
      for (const end of ends) await end()
    },
  }
}
