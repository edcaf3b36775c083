/** Answers in notebooks: put one in as a cell, find those that are there, verify them all. */

import { Cell, CodeCell } from '@jupyterlab/cells';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookModel, INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { ToolbarButton } from '@jupyterlab/apputils';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import type { JSONObject } from '@lumino/coreutils';

import { IKnet, same } from '../model/model';
import type { IAnswer, IAnswered } from '../model/types';
import { MEDIA_TYPE, answerOf } from '../model/validate';
import { askingCell } from '../model/cellsource';

export const METADATA = 'knet';
const METADATA_VERSION = 1;

/** A cell that asks the same of the same when it is run, with the answer as its output. Below the active cell. */
export function insertAnswer(panel: NotebookPanel, answered: IAnswered): void {
  const { asked, profile, answer, id, text, html } = answered;
  const notebook = panel.content;
  NotebookActions.insertBelow(notebook);
  NotebookActions.changeCellType(notebook, 'code'); // new cells need not be code
  const cell = notebook.activeCell as CodeCell;
  cell.model.sharedModel.setSource(askingCell(asked, profile));
  cell.model.setMetadata(METADATA, {
    version: METADATA_VERSION,
    answer_id: id,
    question: answer.question,
    sources: [...new Set(answer.passages.map(passage => passage.uri))]
  });
  cell.model.outputs.add({
    output_type: 'display_data',
    data: { [MEDIA_TYPE]: answer as unknown as JSONObject, 'text/plain': text, 'text/html': html },
    metadata: {}
  });
  void notebook.scrollToCell(cell, 'start'); // a tall output would leave its own question out of view
}

/** The answer that a cell shows; null if it shows none. */
export function answerIn(cell: Cell | null): IAnswer | null {
  return cell instanceof CodeCell ? answerOf(cell.model.outputs.toJSON()) : null;
}

/** Keeps the provenance panel on the answer of the active cell, whichever notebook it is in, also when it is run. */
export function followActiveCell(notebooks: INotebookTracker, knet: IKnet): void {
  let active: CodeCell | null = null;
  const look = () => {
    const answer = answerIn(active);
    if (answer && !(knet.selected && same(answer, knet.selected.answer))) {
      knet.select({ answer, passage: 1, fresh: false });
    }
  };
  notebooks.activeCellChanged.connect((_, cell) => {
    if (active && !active.isDisposed) {
      active.model.outputs.changed.disconnect(look);
    }
    active = cell instanceof CodeCell ? cell : null;
    active?.model.outputs.changed.connect(look);
    look();
  });
}

/** The button in every notebook's toolbar. */
export class VerifyButton implements DocumentRegistry.IWidgetExtension<NotebookPanel, INotebookModel> {
  constructor(
    private readonly knet: IKnet,
    private readonly verify: (panel: NotebookPanel) => void
  ) {}

  createNew(panel: NotebookPanel): IDisposable {
    const { trans } = this.knet;
    const added = new ToolbarButton({
      label: trans.__('Verify answers'),
      tooltip: trans.__('Check every claim of every knet answer in this notebook again'),
      onClick: () => this.verify(panel)
    });
    panel.toolbar.insertItem(10, 'knet-verify', added);
    return new DisposableDelegate(() => added.dispose());
  }
}
