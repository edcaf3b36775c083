/** Verification of all answers in a notebook, in a dialog. */

import { Dialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { worst } from '../model/checks';
import { h, put } from '../views/dom';
import type { IKnet } from '../model/model';
import type { NotebookReport } from '../model/types';
import { reportView } from '../views/report';
import { line } from '../model/text';

/** Open a dialog at once, and show the reports when they arrive. `notebook` is the open notebook as nbformat. */
export async function verifyAll(notebook: unknown, name: string, knet: IKnet): Promise<void> {
  const { trans } = knet;
  const message = h('p', { class: 'jp-knet-Message', role: 'status' }, trans.__('Checking every claim …'));
  const list = h('ol', { class: 'jp-knet-Cards' });
  const body = new Widget({ node: h('div', { class: 'jp-knet-Panel jp-knet-VerifyAll', tabindex: 0 }, message, list) });
  const dialog = new Dialog({
    title: trans.__('Answers in %1', line(name, 80)),
    body,
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
  const closed = dialog.launch();
  try {
    const reports = await knet.api.verifyNotebook(notebook);
    const verified = reports.filter(report => worst(report.checks) === 'holds').length;
    put(
      message,
      reports.length
        ? trans.__('%1 of %2 answers hold in every claim.', verified, reports.length)
        : trans.__('There is no knet answer in this notebook.')
    );
    put(list, ...reports.map(report => card(report, knet)));
  } catch (error) {
    put(message, line((error as Error).message, 1000));
  }
  await closed;
}

function card(report: NotebookReport, { trans }: IKnet): HTMLElement {
  return h(
    'li',
    { class: 'jp-knet-Card', 'data-cell': report.cell + 1, 'data-mark': worst(report.checks) },
    h('b', {}, trans.__('Cell %1', report.cell + 1)),
    h('p', { class: 'jp-knet-Question' }, line(report.question)),
    reportView(report, trans)
  );
}
