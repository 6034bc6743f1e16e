"""What is computed: the operations of a network, with no notion of hardware or of torch."""
