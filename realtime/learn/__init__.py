"""Making a gate from examples: `rt-gate learn`, on a small computer and without torch.

A shipped gate's network (the backbone) stays as it is; only its head, two small layers over the
*embedding* that the network computes every 10 ms, is learned anew from the person's examples.
Why so, and not by training the whole network:

- The base install has no torch, which is larger than everything else together, and a Pi can do
  without it: ONNX Runtime computes the embeddings, NumPy trains 15 thousand weights.
- A minute of examples cannot train 200 thousand weights. It can tell the network which of the
  sounds that it already hears apart are wanted, and the backbone was trained to hear speech,
  drums, instruments, animals and household noise apart.
- A frozen backbone makes learning quick, for an embedding is computed once, and memory cheap:
  old embeddings, kept in the gate's own file, still hold when it learns more.

    examples    files of one side: read, judged, passed over
    demands     what they must be, and what to record if they are not
    split       a part held back
    mixtures    what the gate will hear, with the ideal gate's answer
    backbone    sound to embeddings
    head        embeddings to scores; Adam
    hearing     mixtures to embeddings and what they should score
    judging     figures of openings against the ideal ones
    rival       the level gate, tuned on the same examples
    audition    a held-back part to listen to
    memory      what a gate remembers of its examples
    taught      a model's file with a card and a memory, for gates and for `realtime.wake`
    gate_file   the file: an ONNX model with another head, card and memory
    lesson      all of it in order; more: what a gate learns later
    report      figures and one sentence of advice; plot: a picture
"""
