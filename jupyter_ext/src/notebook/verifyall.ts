/** Verifying a whole notebook: each claim of each answer reported. */

import { Dialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { together } from '../model/checks';
import { h, put } from '../views/dom';
import type { IKnet } from '../model/model';
import type { INotebookReport } from '../model/types';
import { reportView } from '../views/report';
import { line } from '../model/text';

/** Opens a dialog at once and fills it when the outcome is there. `notebook` is nbformat, as it is open. */
export async function verifyAll(notebook: unknown, name: string, knet: IKnet): Promise<void> {
  const { trans } = knet;
  const said = h('p', { class: 'jp-knet-Said', role: 'status' }, trans.__('Checking every claim …'));
  const list = h('ol', { class: 'jp-knet-Cards' });
  const body = new Widget({ node: h('div', { class: 'jp-knet-Panel jp-knet-VerifyAll', tabindex: 0 }, said, list) });
  const dialog = new Dialog({
    title: trans.__('Answers in %1', line(name, 80)),
    body,
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
  const closed = dialog.launch();
  try {
    const reports = await knet.api.verifyNotebook(notebook);
    const sound = reports.filter(report => together(report.checks) === 'holds').length;
    put(
      said,
      reports.length
        ? trans.__('%1 of %2 answers hold in every claim.', sound, reports.length)
        : trans.__('There is no knet answer in this notebook.')
    );
    put(list, ...reports.map(report => card(report, knet)));
  } catch (error) {
    put(said, line((error as Error).message, 1000));
  }
  await closed;
}

function card(report: INotebookReport, { trans }: IKnet): HTMLElement {
  return h(
    'li',
    { class: 'jp-knet-Card', 'data-cell': report.cell + 1, 'data-mark': together(report.checks) },
    h('b', {}, trans.__('Cell %1', report.cell + 1)),
    h('p', { class: 'jp-knet-Question' }, line(report.question)),
    reportView(report, trans)
  );
}
