"""How fast a training step is: plain references of the same maths, the contest between them and dcgan, the roofline."""
