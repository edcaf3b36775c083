/** Verifying a whole notebook: one answer after the other, each claim reported. */

import { Dialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { h, put } from './dom';
import type { IKnet } from './knet';
import type { IFound } from './notebook';
import { reportView } from './reportview';
import { line } from './text';

/** Opens a dialog at once and fills it as the outcomes come. */
export async function verifyAll(found: IFound[], name: string, knet: IKnet): Promise<void> {
  const { trans } = knet;
  const body = new Widget({ node: h('div', { class: 'jp-knet-Panel jp-knet-VerifyAll' }) });
  const dialog = new Dialog({
    title: trans.__('Answers in %1', line(name, 80)),
    body,
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
  const said = h('p', { class: 'jp-knet-Said', role: 'status' });
  const list = h('ol', { class: 'jp-knet-Cards' });
  put(body.node, said, list);
  const closed = dialog.launch();
  let sound = 0;
  for (const [at, { number, answer }] of found.entries()) {
    put(said, trans.__('Checking answer %1 of %2 …', at + 1, found.length));
    const outcome = await knet.api.verify(answer).catch((error: Error) => error);
    const holds = !(outcome instanceof Error) && outcome.checks.every(check => check.ok);
    sound += Number(holds);
    list.append(
      h(
        'li',
        { class: 'jp-knet-Card', 'data-cell': number, 'data-mark': holds ? 'holds' : 'fails' },
        h('b', {}, trans.__('Cell %1', number)),
        h('p', { class: 'jp-knet-Question' }, line(answer.question)),
        outcome instanceof Error ? h('p', {}, line(outcome.message, 1000)) : reportView(outcome, trans)
      )
    );
  }
  put(
    said,
    found.length
      ? trans.__('%1 of %2 answers hold in every claim.', sound, found.length)
      : trans.__('There is no knet answer in this notebook.')
  );
  await closed;
}
