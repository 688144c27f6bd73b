import { type AccountStage, type AccountStageOptions, startAccountStage } from './account-stage.ts'
import { type ScriptedAccount, startScriptedAccount } from './scripted-account.ts'

/** A proxy whose users have accounts at an MCP server that answers as a test says. */
export interface ScriptedStage {
  readonly stage: AccountStage
  readonly saas: ScriptedAccount
}

/** @returns parts of which closing the stage closes both */
export async function startScriptedStage(options?: AccountStageOptions): Promise<ScriptedStage> {
  const saas = await startScriptedAccount()
  const stage = await startAccountStage(saas.url, options)
  const close = async () => {
    await stage.close()
    await saas.close()
  }
  return { saas, stage: { ...stage, close } }
}
