import type { Narrator } from './narrator.ts'
import { createActor, type Stage } from './story/actor.ts'
import { callAdminTool, callEcho, listTools, readResourceAndPrompt, watchProgress } from './story/calls.ts'
import {
  callWithoutToken,
  connect,
  exchangeCode,
  findAuthorizationServer,
  readItsMetadata,
  register,
  signIn,
} from './story/first-sign-in.ts'
import { stepUp } from './story/step-up.ts'

/**
 * Plays what a client, a proxy and two users do with each other, and checks every step.
 *
 * @throws Error at the first step that does not go as it should
 */
export async function tellStory(stage: Stage, narrator: Narrator): Promise<void> {
  const actor = createActor(stage)
  await callWithoutToken(actor, stage, narrator)
  findAuthorizationServer(actor, stage, narrator)
  readItsMetadata(actor, stage, narrator)
  register(actor, stage, narrator)
  const redirect = await signIn(actor, stage.alice, narrator)
  await exchangeCode(actor, stage, redirect, narrator)
  await connect(actor, stage, narrator)
  await listTools(actor, narrator)
  await callEcho(actor, stage, narrator)
  await watchProgress(actor, narrator)
  await readResourceAndPrompt(actor, narrator)
  await callAdminTool(actor, stage, narrator)
  await stepUp(stage, actor.oauth, narrator)
  await actor.client.close()
}
