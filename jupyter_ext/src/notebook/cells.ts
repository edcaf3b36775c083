/** Answers in notebooks: insert one as a cell, find the one of a cell, verify them all. */

import { Cell, CodeCell } from '@jupyterlab/cells';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookModel, INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { ToolbarButton } from '@jupyterlab/apputils';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import type { JSONObject } from '@lumino/coreutils';

import { IAnswered, IKnet, sameAnswer } from '../model/model';
import { ANSWER_MEDIA_TYPE, Answer } from '../model/types';
import { answerOf } from '../model/validate';
import { askingCell } from '../model/cellsource';

export const METADATA = 'knet';
const METADATA_VERSION = 1;

/** Insert a cell below the active one that repeats the question, with the answer as its output. */
export function insertAnswer(panel: NotebookPanel, answered: IAnswered): void {
  const { asked, answer, id, text, html } = answered;
  const notebook = panel.content;
  NotebookActions.insertBelow(notebook);
  NotebookActions.changeCellType(notebook, 'code'); // a new cell may have another type
  const cell = notebook.activeCell as CodeCell;
  cell.model.sharedModel.setSource(askingCell(asked));
  cell.model.setMetadata(METADATA, {
    version: METADATA_VERSION,
    answer_id: id,
    question: answer.question,
    sources: [...new Set(answer.passages.map(passage => passage.uri))]
  });
  cell.model.outputs.add({
    output_type: 'display_data',
    data: { [ANSWER_MEDIA_TYPE]: answer as unknown as JSONObject, 'text/plain': text, 'text/html': html },
    metadata: {}
  });
  void notebook.scrollToCell(cell, 'start'); // keeps the question in view above a tall output
}

/** Return the answer in the outputs of a cell, or null. */
export function answerIn(cell: Cell | null): Answer | null {
  return cell instanceof CodeCell ? answerOf(cell.model.outputs.toJSON()) : null;
}

/** Select the answer of the active cell of any notebook, also when its outputs change. */
export function followActiveCell(notebooks: INotebookTracker, knet: IKnet): void {
  let active: CodeCell | null = null;
  const selectAnswer = () => {
    const answer = answerIn(active);
    if (answer && !(knet.selected && sameAnswer(answer, knet.selected.answer))) {
      knet.select({ answer, passage: 1, fresh: false });
    }
  };
  notebooks.activeCellChanged.connect((_, cell) => {
    if (active && !active.isDisposed) {
      active.model.outputs.changed.disconnect(selectAnswer);
    }
    active = cell instanceof CodeCell ? cell : null;
    active?.model.outputs.changed.connect(selectAnswer);
    selectAnswer();
  });
}

/** The button "Verify answers" in the toolbar of every notebook. */
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
