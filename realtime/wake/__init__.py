"""Models of one's own sounds: `rt-tag learn`, on a small computer and without torch.

A shipped network (`ears`) stays as it is. From a second of sound it computes an *embedding*, of
which one layer of its own makes scores; a person's examples make another such layer. What the
sound is not is learned, and false alarms are counted, from embeddings of hours of other sounds
that are shipped as well.

    ears         the network, from windows of sound to embeddings
    occurrences  where the sound is in its recordings, and windows of it as others would be
    sides        what must be true of the examples
    hours        the shipped embeddings of other sounds
    alike        those of them that are the wanted sound
    head         the layer, and how it is fitted
    counting     events in streams of scores; thresholds; intervals
    label        one label: left out, judged, fitted
    lesson       all of it in order
    memory       what a model remembers of its examples
    model_file   the file: an ONNX model with another layer, card and memory
    report       figures and advice
"""
