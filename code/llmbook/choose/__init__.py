"""Which model for your texts? ``python -m llmbook.choose FILE`` measures and says why (chapter 13).

``files``       a reader's file: texts, perhaps with labels
``groups``      near-duplicates, which no split may cut apart
``encoders``    frozen models: ours, MiniLM, any folder of Hugging Face; how they read a text
``labelled``    classification by cross-validation; learning curves; words that tell a label
``unlabelled``  search of first sentences; bits per byte against n-grams and gzip
``rule``        from measurements to a recommendation with its reasons
``report``      all of it as a table

Not here: fine-tuning, generation, a download. Nothing here imports torch when it is imported.
"""
