/** Renderer of answers in the outputs of cells. The content of a notebook is untrusted until it is verified again. */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';

import { AnswerView } from '../views/answer';
import { h, put } from '../views/dom';
import type { IKnet } from '../model/model';
import { ANSWER_MEDIA_TYPE, Answer } from '../model/types';
import { readAnswer } from '../model/validate';

const FIRST_SOURCES = 3; // shown at first, since a notebook is read for its text

class RenderedAnswer extends Widget implements IRenderMime.IRenderer {
  private answer: Answer | null = null;
  private view: AnswerView | null = null;

  constructor(
    private readonly knet: IKnet,
    private readonly commands: CommandRegistry
  ) {
    super();
    this.addClass('jp-knet-Panel');
    this.addClass('jp-knet-Output');
    knet.reportsChanged.connect(this.onReport, this);
  }

  dispose(): void {
    this.knet.reportsChanged.disconnect(this.onReport, this);
    super.dispose();
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const { knet } = this;
    const answer = (this.answer = readAnswer(model.data[ANSWER_MEDIA_TYPE]));
    if (!answer) {
      put(this.node, h('p', { class: 'jp-knet-Message' }, knet.trans.__('This output is not a readable answer.')));
      return;
    }
    this.view = new AnswerView(
      { answer, fresh: false, kinds: null, batch: FIRST_SOURCES, trans: knet.trans },
      {
        trace: passage => {
          knet.select({ answer, passage, fresh: false });
          void this.commands.execute('knet:open-provenance');
        },
        verify: () => knet.verify(answer)
      }
    );
    put(this.node, this.view.node);
    this.onReport();
  }

  private onReport(): void {
    this.view?.showReport(this.answer && this.knet.reportOn(this.answer));
  }
}

export function answerFactory(knet: IKnet, commands: CommandRegistry): IRenderMime.IRendererFactory {
  return {
    safe: true, // it inserts data as text only
    mimeTypes: [ANSWER_MEDIA_TYPE],
    defaultRank: 10, // before text/html
    createRenderer: () => new RenderedAnswer(knet, commands)
  };
}
